// Reads a plan and judges every field once (docs/format/plan.md): counts, offsets, sizes, ranks,
// palettes, references, running order, and every output's shape against the one computed from its
// inputs. Nothing is allocated whose size is not backed by bytes of the plan.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/trellis.h"
#include "plan/ops.h"
#include "plan/plan.h"

namespace pocketlens {
namespace {

constexpr size_t kHeaderBytes = 72, kValueBytes = 32, kTensorBytes = 72, kPlaneBytes = 24;
constexpr uint32_t kVersion = 2;
constexpr size_t kSectionAlignment = 8;
constexpr uint32_t kOpHeaderWords = 5;
constexpr uint32_t kMaxPalette = 256;

struct Header {
  uint32_t values, tensors, planes, ops, inputs, outputs;
  uint32_t values_at, tensors_at, planes_at, io_at, ops_at, data_at;
};

bool overlaps(uint64_t at, uint64_t bytes, uint64_t next) {
  return at % kSectionAlignment != 0 || bytes > next || at > next - bytes;
}

Status read_sections(const Header& h, size_t size) {
  const uint64_t io_bytes = (static_cast<uint64_t>(h.inputs) + h.outputs) * 4;
  if (h.values_at != kHeaderBytes) return fail(Code::kSections, h.values_at, kHeaderBytes);
  if (overlaps(h.values_at, h.values * uint64_t{kValueBytes}, h.tensors_at)) {
    return fail(Code::kSections, h.tensors_at);
  }
  if (overlaps(h.tensors_at, h.tensors * uint64_t{kTensorBytes}, h.planes_at)) {
    return fail(Code::kSections, h.planes_at);
  }
  if (overlaps(h.planes_at, h.planes * uint64_t{kPlaneBytes}, h.io_at)) {
    return fail(Code::kSections, h.io_at);
  }
  if (overlaps(h.io_at, io_bytes, h.ops_at)) return fail(Code::kSections, h.ops_at);
  if (overlaps(h.ops_at, h.ops * uint64_t{kOpHeaderWords * 4}, h.data_at)) {
    return fail(Code::kSections, h.data_at);
  }
  if (overlaps(h.data_at, 0, size)) return fail(Code::kSections, h.data_at, size);
  return {};
}

Status read_header(const uint8_t* bytes, size_t size, Header* h) {
  if (size < kHeaderBytes || memcmp(bytes, "PLENSPLN", 8) != 0) {
    return fail(Code::kNotAPlan, size, kHeaderBytes);
  }
  if (load_u32(bytes + 8) != kVersion) return fail(Code::kVersion, load_u32(bytes + 8), kVersion);
  if (load_u64(bytes + 16) != size) return fail(Code::kSections, size, load_u64(bytes + 16));
  if (load_u32(bytes + 68) != 0) return fail(Code::kSections, load_u32(bytes + 68), 0);
  h->values = load_u32(bytes + 12);
  h->tensors = load_u32(bytes + 24);
  h->planes = load_u32(bytes + 28);
  h->ops = load_u32(bytes + 32);
  h->inputs = load_u32(bytes + 36);
  h->outputs = load_u32(bytes + 40);
  for (const uint32_t count : {h->values, h->tensors, h->ops, h->inputs, h->outputs}) {
    if (count > kMaxCount) return fail(Code::kTooLarge, count, kMaxCount);
  }
  if (h->planes > kMaxPlanes) return fail(Code::kTooLarge, h->planes, kMaxPlanes);
  if (h->inputs == 0 || h->outputs == 0) return fail(Code::kSections, 0, 1);
  h->values_at = load_u32(bytes + 44);
  h->tensors_at = load_u32(bytes + 48);
  h->planes_at = load_u32(bytes + 52);
  h->io_at = load_u32(bytes + 56);
  h->ops_at = load_u32(bytes + 60);
  h->data_at = load_u32(bytes + 64);
  return read_sections(*h, size);
}

// Rank and dimensions, as values and tensors hold them.
bool read_shape(const uint8_t* at, Shape* shape) {
  const uint32_t rank = load_u32(at);
  if (rank > kMaxRank) return false;
  shape->rank = static_cast<int32_t>(rank);
  int64_t elements = 1;
  for (uint32_t i = 0; i < kMaxRank; ++i) {
    const uint32_t dim = load_u32(at + 4 + 4 * i);
    if (dim < 1 || dim > kMaxDimension || (i >= rank && dim != 1)) return false;
    shape->dims[i] = static_cast<int32_t>(dim);
    elements *= dim;
    if (elements > kMaxElements) return false;
  }
  return true;
}

// Bits, sides and bands of a plane, each for itself.
Status read_plane(const uint8_t* at, size_t number, Plane* p) {
  p->bits = load_u32(at);
  p->width = load_u32(at + 4);
  p->rows = load_u32(at + 8);
  p->band_rows = load_u32(at + 12);
  p->bands = load_u32(at + 16);
  const bool known_bits = p->bits == 1 || p->bits == 2 || p->bits == 4 || p->bits == 8;
  const bool sides = p->width >= 1 && p->width <= kMaxElements && p->rows >= 1 &&
                     uint64_t{p->rows - 1} * p->width < kMaxElements;
  if (!known_bits || !sides || p->band_rows < 1 || p->band_rows > p->rows ||
      p->bands != divide_up(p->rows, p->band_rows) || load_u32(at + 20) != 0) {
    return fail(Code::kPlane, number);
  }
  return {};
}

uint32_t smallest_container(uint32_t palette_size) {
  for (uint32_t bits = 1; bits < 8; bits *= 2) {
    if (palette_size <= 1u << bits) return bits;
  }
  return 8;
}

// Palettes, plane and mask of a palette tensor; how planes are shared is judged by judge_planes().
Status judge_palette(const Header& h, size_t number, Tensor* t) {
  if (t->palette_size < 1 || t->palette_size > kMaxPalette) {
    return fail_tensor(Code::kPalette, number, t->palette_size, kMaxPalette);
  }
  t->bits = smallest_container(t->palette_size);
  const uint32_t outputs = static_cast<uint32_t>(t->shape.dims[0]);
  if (t->group_rows < 1 || t->group_rows > kMaxDimension) {
    return fail_tensor(Code::kPalette, number, t->group_rows, outputs);
  }
  t->groups = static_cast<uint32_t>(divide_up(outputs, t->group_rows));
  if (t->trellis) {
    if (t->palette_size < kLeastTrellisValues || t->palette_size % 2 != 0) {
      return fail_tensor(Code::kPalette, number, t->palette_size, kLeastTrellisValues);
    }
    if (t->groups != 1) return fail_tensor(Code::kPalette, number, t->groups, 1);
  }
  const uint64_t palette_bytes = uint64_t{t->groups} * t->palette_size * 2;
  if (t->data_bytes != palette_bytes) {
    return fail_tensor(Code::kPalette, number, t->data_bytes, palette_bytes);
  }
  if (t->plane >= h.planes) return fail_tensor(Code::kTensor, number, t->plane, h.planes);
  if (t->masked() && t->mask >= h.planes) {
    return fail_tensor(Code::kTensor, number, t->mask, h.planes);
  }
  // A mask stands for one number of at least two; without one nothing is common.
  const uint32_t most_common = t->masked() ? t->numbers() - 1 : 0;
  if (t->common > most_common || (t->masked() && most_common == 0)) {
    return fail_tensor(Code::kPalette, number, t->common, most_common);
  }
  return {};
}

Status read_tensor(const uint8_t* bytes, size_t size, const Header& h, size_t number, Tensor* t) {
  const uint8_t* at = bytes + h.tensors_at + number * kTensorBytes;
  const uint32_t kind = load_u32(at);
  if (kind > kTrellisKind) return fail_tensor(Code::kTensor, number, kind, kTrellisKind);
  t->trellis = kind == kTrellisKind;
  t->kind = t->trellis ? TensorKind::kPalette : static_cast<TensorKind>(kind);
  if (!read_shape(at + 4, &t->shape)) return fail_tensor(Code::kTensor, number, load_u32(at + 4));
  t->palette_size = load_u32(at + 32);
  t->group_rows = load_u32(at + 36);
  t->plane = load_u32(at + 40);
  t->first_pixel = load_u32(at + 44);
  t->mask = load_u32(at + 48);
  t->common = load_u32(at + 52);
  const uint64_t offset = load_u64(at + 56);
  t->data_bytes = load_u64(at + 64);
  if (offset < h.data_at || offset % kSectionAlignment != 0 || offset > size ||
      t->data_bytes > size - offset) {
    return fail_tensor(Code::kTensor, number, offset, size);
  }
  t->data = bytes + offset;
  if (t->kind == TensorKind::kPalette) return judge_palette(h, number, t);
  if ((t->palette_size | t->group_rows | t->plane | t->first_pixel | t->mask | t->common) != 0) {
    return fail_tensor(Code::kTensor, number, t->palette_size, 0);
  }
  const uint64_t element_bytes = t->kind == TensorKind::kHalf ? 2 : 4;
  const uint64_t expected = t->weights() * element_bytes;
  if (t->data_bytes != expected) {
    return fail_tensor(Code::kTensor, number, t->data_bytes, expected);
  }
  return {};
}

Status read_tables(const uint8_t* bytes, size_t size, const Header& h, Plan* plan) {
  if (!plan->values.reset(h.values) || !plan->tensors.reset(h.tensors) ||
      !plan->planes.reset(h.planes) || !plan->inputs.reset(h.inputs) ||
      !plan->outputs.reset(h.outputs)) {
    return fail(Code::kNoMemory);
  }
  for (size_t i = 0; i < h.values; ++i) {
    const uint8_t* at = bytes + h.values_at + i * kValueBytes;
    if (!read_shape(at, &plan->values[i]) || load_u32(at + 28) != 0) return fail(Code::kValue, i);
  }
  for (size_t i = 0; i < h.tensors; ++i) {
    const Status status = read_tensor(bytes, size, h, i, &plan->tensors[i]);
    if (!status.ok()) return status;
  }
  for (size_t i = 0; i < h.planes; ++i) {
    const uint8_t* at = bytes + h.planes_at + i * kPlaneBytes;
    const Status status = read_plane(at, i, &plan->planes[i]);
    if (!status.ok()) return status;
  }
  for (size_t i = 0; i < h.inputs; ++i) plan->inputs[i] = load_u32(bytes + h.io_at + 4 * i);
  for (size_t i = 0; i < h.outputs; ++i) {
    plan->outputs[i] = load_u32(bytes + h.io_at + 4 * (h.inputs + i));
  }
  return {};
}

// Cuts the ops section into records; what they say is judged by judge_ops().
Status read_ops(const uint8_t* bytes, const Header& h, Plan* plan) {
  const size_t words = (h.data_at - h.ops_at) / 4;
  if (!plan->words.reset(words) || !plan->ops.reset(h.ops)) return fail(Code::kNoMemory);
  for (size_t i = 0; i < words; ++i) plan->words[i] = load_u32(bytes + h.ops_at + 4 * i);
  size_t at = 0;
  for (size_t i = 0; i < h.ops; ++i) {
    const uint32_t* record = plan->words.data() + at;
    const int32_t number = static_cast<int32_t>(i);
    if (words - at < kOpHeaderWords || record[0] > words - at) {
      return Status{Code::kOperator, number, -1, words - at, kOpHeaderWords};
    }
    const uint32_t kind = record[1];
    if (kind < 1 || kind >= kOpKinds)
      return Status{Code::kOperator, number, -1, kind, kOpKinds - 1};
    const OpSignature& signature = kSignatures[kind];
    const uint32_t inputs = record[3], attributes = record[4];
    if (inputs < signature.min_inputs || inputs > signature.max_inputs) {
      return Status{Code::kOperator, number, -1, inputs, signature.min_inputs};
    }
    if (attributes != signature.attributes || record[0] != kOpHeaderWords + inputs + attributes) {
      return Status{Code::kOperator, number, -1, attributes, signature.attributes};
    }
    plan->ops[i] = Op{kind, record[2], inputs, attributes, record + kOpHeaderWords};
    at += record[0];
  }
  if (words - at > 1) return fail(Code::kSections, words - at, 1);  // only padding to 8 bytes
  return {};
}

bool is_weight(const Op& op, uint32_t position) {
  const OpKind kind = static_cast<OpKind>(op.kind);
  return position == 1 && (kind == OpKind::kConv2d || kind == OpKind::kLinear);
}

// References in range, made already, palettes only where an op multiplies with them.
Status judge_references(Plan* plan, const Array<uint8_t>& made, size_t number) {
  const Op& op = plan->ops[number];
  const int32_t op_number = static_cast<int32_t>(number);
  for (uint32_t i = 0; i < op.input_count; ++i) {
    const Reference reference = op.input(i);
    const uint32_t minimum = kSignatures[op.kind].min_inputs;
    if (reference.absent()) {
      const bool may = i >= minimum && static_cast<OpKind>(op.kind) != OpKind::kConcat;
      if (!may) return Status{Code::kReference, op_number, -1, i, minimum};
      continue;
    }
    const uint32_t n = reference.number();
    if (reference.is_value()) {
      if (n >= plan->values.size() || is_weight(op, i)) {
        return Status{Code::kReference, op_number, -1, n, plan->values.size()};
      }
      if (!made[n]) return Status{Code::kOrder, op_number, -1, n, 0};
      continue;
    }
    if (n >= plan->tensors.size()) {
      return Status{Code::kReference, op_number, -1, n, plan->tensors.size()};
    }
    Tensor& tensor = plan->tensors[n];
    if (is_weight(op, i)) {
      if (tensor.weight_of < 0) tensor.weight_of = op_number;
    } else if (tensor.kind == TensorKind::kPalette) {
      return Status{Code::kReference, op_number, static_cast<int32_t>(n), i, 1};
    }
  }
  return {};
}

Status judge_ops(Plan* plan) {
  Array<uint8_t> made;
  if (!made.reset(plan->values.size())) return fail(Code::kNoMemory);
  for (const uint32_t n : plan->inputs) {
    if (n >= made.size() || made[n]) return fail(Code::kOrder, n);
    made[n] = 1;
  }
  for (size_t i = 0; i < plan->ops.size(); ++i) {
    Status status = judge_references(plan, made, i);
    if (!status.ok()) return status;
    const Op& op = plan->ops[i];
    const int32_t number = static_cast<int32_t>(i);
    if (op.output >= made.size() || made[op.output]) {
      return Status{Code::kOrder, number, -1, op.output, made.size()};
    }
    Shape shape;
    status = shape_of_output(*plan, op, &shape);
    if (!status.ok()) {
      status.op = number;
      return status;
    }
    if (!(shape == plan->values[op.output])) {
      return Status{Code::kShape, number, -1,
                    static_cast<uint64_t>(plan->values[op.output].elements()),
                    static_cast<uint64_t>(shape.elements())};
    }
    made[op.output] = 1;
  }
  for (size_t n = 0; n < made.size(); ++n) {
    if (!made[n]) return fail(Code::kOrder, n);
  }
  for (const uint32_t n : plan->outputs) {
    if (n >= made.size()) return fail(Code::kOrder, n, made.size());
  }
  return {};
}

}  // namespace

Status read_plan(const uint8_t* bytes, size_t size, Plan* plan) {
  Header header = {};
  Status status = read_header(bytes, size, &header);
  if (status.ok()) status = read_tables(bytes, size, header, plan);
  if (status.ok()) status = judge_planes(plan);
  if (status.ok()) status = read_ops(bytes, header, plan);
  if (status.ok()) status = judge_ops(plan);
  return status;
}

}  // namespace pocketlens
