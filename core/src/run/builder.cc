// Buffers and forms (run/builder.h).
#include "run/builder.h"

#include <new>

#include "kernels/half.h"
#include "plan/ops.h"
#include "run/channels.h"
#include "run/ops.h"
#include "run/patterns.h"

namespace pocketlens {

Pictures pictures_of(const Shape& shape) {
  return {shape.dims[0], shape.dims[1], shape.dims[2],
          shape.dims[3] * shape.dims[4] * shape.dims[5]};
}

uint64_t row_values(const Pictures& p, const Form& form) {
  const uint64_t width = uint64_t(p.width) + uint64_t(form.halo.left) + uint64_t(form.halo.right);
  if (form.layout == Layout::kBlocked) return width * kLanes;
  return form.bf16 ? round_up(width * uint64_t(form.pixel) + 1, 2) : width * uint64_t(p.channels);
}

uint64_t floats_of(const Shape& shape, Form form) {
  if (form.layout == Layout::kPlain) {
    return round_up(static_cast<uint64_t>(shape.elements()), kLanes);
  }
  const Pictures p = pictures_of(shape);
  const uint64_t blocks = form.layout == Layout::kCompact ? 1 : static_cast<uint64_t>(p.blocks());
  const uint64_t height = uint64_t(p.height) + uint64_t(form.halo.top) + uint64_t(form.halo.bottom);
  const uint64_t values = uint64_t(p.images) * blocks * height * row_values(p, form);
  return round_up(form.bf16 ? values / 2 : values, kLanes);
}

namespace {

constexpr Form kRounded = {Layout::kBlocked, {}, true};

// One picture of one pixel: blocks of channels are the channels themselves, filled up.
bool is_vector(const Shape& shape) {
  const Pictures p = pictures_of(shape);
  return p.images == 1 && p.pixels() == 1;
}

}  // namespace

int32_t& Builder::head(Reference reference) {
  return reference.is_tensor() ? tensor_buffers[reference.number()]
                               : value_buffers[reference.number()];
}

int32_t Builder::find(Reference reference, Form form) const {
  int32_t n = reference.is_tensor() ? tensor_buffers[reference.number()]
                                    : value_buffers[reference.number()];
  while (n >= 0 && !(buffers[n].form == form)) n = buffers[n].next;
  return n;
}

int32_t Builder::new_buffer(const Shape& shape, Form form, Place place) {
  Buffer buffer;
  buffer.shape = shape;
  buffer.form = form;
  buffer.place = place;
  buffer.floats = floats_of(shape, form);
  buffer.root = static_cast<int32_t>(buffers.size());
  return buffers.push(buffer) ? static_cast<int32_t>(buffers.size() - 1) : -1;
}

int32_t Builder::constant(uint32_t tensor) {
  int32_t& first = tensor_buffers[tensor];
  if (first < 0) first = new_buffer(plan.tensors[tensor].shape, Form{}, Place::kConstant);
  return first;
}

int32_t Builder::use(Reference reference, Form form) {
  if (reference.is_tensor() && constant(reference.number()) < 0) return -1;
  const Shape& shape = this->shape(reference);
  int32_t from = find(reference, form);
  if (from >= 0) return from;
  from = find(reference, Form{Layout::kBlocked, {}});
  if (from < 0) from = find(reference, Form{});
  if (from < 0) from = find(reference, kRounded);
  const Buffer source = buffers[from];
  const bool whole = buffers[source.root].place != Place::kInput;  // filled up to 16 channels
  const bool same_bytes = is_vector(shape) && form.halo.none() && form.layout != Layout::kCompact &&
                          form.bf16 == source.form.bf16;
  const int32_t to = new_buffer(shape, form, source.place);
  if (to < 0) return -1;
  buffers[to].next = head(reference);
  head(reference) = to;
  if (same_bytes && whole) {
    buffers[to].alias_of = from;
    buffers[to].root = source.root;
    buffers[to].offset = source.offset;
    return to;
  }
  if (source.place == Place::kInput) buffers[to].place = Place::kArena;
  Step* step = is_bf16() && form.bf16 ? new_round(shape, from, source.form, to, form)
                                      : new_convert(shape, from, source.form, to, form, 0.0f);
  if (step == nullptr) return -1;
  step->op = op;
  const bool constant = source.place == Place::kConstant;
  return (constant ? constant_steps : steps).push(Owned<Step>(step)) ? to : -1;
}

int32_t Builder::make(const Op& op, Layout layout, bool bf16) {
  const int32_t n = new_buffer(plan.values[op.output], Form{layout, {}, bf16}, Place::kArena);
  value_buffers[op.output] = n;
  return n;
}

bool Builder::make_alias(const Op& op, int32_t buffer) {
  const Buffer source = buffers[buffer];
  const int32_t n = new_buffer(plan.values[op.output], source.form, source.place);
  if (n < 0) return false;
  buffers[n].alias_of = buffer;
  buffers[n].root = source.root;
  buffers[n].offset = source.offset;
  value_buffers[op.output] = n;
  return true;
}

bool Builder::stands_blocked(Reference reference) const {
  return reference.is_value() &&
         (find(reference, Form{Layout::kBlocked, {}}) >= 0 || find(reference, kRounded) >= 0);
}

bool Builder::add(Step* step) {
  if (step == nullptr) return false;
  Owned<Step> owned(step);
  owned->op = op;
  return steps.push(std::move(owned));
}

bool Builder::add_inputs() {
  if (!value_buffers.reset(plan.values.size()) || !tensor_buffers.reset(plan.tensors.size())) {
    return false;
  }
  for (int32_t& n : value_buffers) n = -1;
  for (int32_t& n : tensor_buffers) n = -1;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    const int32_t n = new_buffer(plan.values[plan.inputs[i]], Form{}, Place::kInput);
    if (n < 0) return false;
    buffers[n].input = static_cast<uint32_t>(i);
    value_buffers[plan.inputs[i]] = n;
  }
  return true;
}

Status Builder::build() {
  if (!add_inputs()) return fail(Code::kNoMemory);
  Array<uint32_t> reads;
  if (!count_reads(plan, &reads) || (is_bf16() && !find_conv_inputs(plan, &conv_inputs))) {
    return fail(Code::kNoMemory);
  }
  for (size_t i = 0; i < plan.ops.size(); ++i) {
    op = static_cast<int32_t>(i);
    const int32_t groups = shuffle_groups(plan, reads, i);
    if (groups > 0 && stands_blocked(plan.ops[i].input(0))) {
      if (!build_shuffle(*this, plan.ops[i + 2], plan.ops[i].input(0), groups)) {
        return fail(Code::kNoMemory);
      }
      i += 2;
      continue;
    }
    if (is_channel_norm(plan, reads, i) && stands_blocked(plan.ops[i].input(0))) {
      op = static_cast<int32_t>(i + 1);
      if (!build_channel_norm(*this, plan.ops[i + 2], plan.ops[i].input(0), plan.ops[i + 1])) {
        return fail(Code::kNoMemory);
      }
      i += 2;
      continue;
    }
    if (is_normed_pool(plan, reads, i)) {
      bool built = false;
      if (!build_banded(*this, plan.ops[i], plan.ops[i + 1], plan.ops[i + 2], &built)) {
        return fail(Code::kNoMemory);
      }
      if (built) {
        i += 2;
        continue;
      }
    }
    const Scaled scaled = scaled_input(plan, reads, i);
    if (!scaled.picture.absent() && stands_blocked(scaled.picture)) {
      op = static_cast<int32_t>(i + 1);
      if (!build_scaled_conv2d(*this, plan.ops[i + 1], scaled.picture, scaled.scale)) {
        return fail(Code::kNoMemory);
      }
      ++i;
      continue;
    }
    const Status status = build_op(plan.ops[i]);
    if (!status.ok()) return status;
  }
  for (const uint32_t value : plan.outputs) {
    if (plain(Reference{value}) < 0) return fail(Code::kNoMemory);
  }
  return {};
}

Status Builder::build_op(const Op& op) {
  using Build = bool (*)(Builder&, const Op&);
  static constexpr Build kBuilds[kOpKinds] = {
      nullptr,     build_conv2d,     build_linear,  build_matmul,    build_pool,
      build_pool,  build_reduce,     build_unary,   build_binary,    build_concat,
      build_slice, build_pad,        build_reshape, build_transpose, build_softmax,
      build_lrn,   build_layer_norm, build_resize,  build_expand,    build_lrn};
  return kBuilds[op.kind](*this, op) ? Status{} : fail(Code::kNoMemory);
}

void read_values(const Tensor& tensor, float* to) {
  const size_t count = static_cast<size_t>(tensor.shape.elements());
  if (tensor.kind == TensorKind::kHalf) {
    for (size_t i = 0; i < count; ++i) to[i] = half_to_float(load_u16(tensor.data + 2 * i));
  } else {
    for (size_t i = 0; i < count; ++i) to[i] = load_f32(tensor.data + 4 * i);
  }
}

bool read_constant(Builder& builder, Reference reference, size_t count, Memory* memory) {
  if (!memory->reset(round_up(count, kLanes) * sizeof(float))) return false;
  builder.bias_bytes += memory->size();
  if (!reference.absent()) {
    read_values(builder.plan.tensors[reference.number()], memory->floats());
  }
  return true;
}

Activation activation_of(const Op& op, uint32_t at) {
  return {op.integer(at), op.number(at + 1), op.number(at + 2)};
}

}  // namespace pocketlens
