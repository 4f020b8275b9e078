// What brings a changed plan through the judge again, so that changes reach the runner: shapes of
// values, sides of planes and sizes of constants are written anew as the rest of the plan wants
// them. And bands that fit a plan, and how much work it is. For plan_fuzz.cc.
#ifndef POCKETLENS_TESTS_PLAN_REPAIR_H
#define POCKETLENS_TESTS_PLAN_REPAIR_H

#include <algorithm>
#include <random>

#include "base/bytes.h"
#include "plan/ops.h"
#include "plan/plan.h"
#include "plan_maker.h"

namespace pocketlens::test {

inline void set_word(Bytes* bytes, size_t at, uint64_t value) {
  for (size_t i = 0; i < 4 && at + i < bytes->size(); ++i) {
    (*bytes)[at + i] = static_cast<uint8_t>(value >> (8 * i));
  }
}

inline uint32_t word_of(const Bytes& bytes, size_t at) {
  return at + 4 <= bytes.size() ? load_u32(bytes.data() + at) : 0;
}

constexpr size_t kHeaderAt = 72, kValueRecord = 32, kTensorRecord = 72, kPlaneRecord = 24;

// Where a plan's sections are, as its header says, cut at its end.
struct Sections {
  explicit Sections(const Bytes& bytes) {
    for (size_t i = 0; i < 6; ++i) {
      starts[i] = std::min<size_t>(word_of(bytes, 44 + 4 * i), bytes.size());
    }
    values = count(word_of(bytes, 12), bytes.size() - starts[0], kValueRecord);
    tensors = count(word_of(bytes, 24), bytes.size() - starts[1], kTensorRecord);
    planes = count(word_of(bytes, 28), bytes.size() - starts[2], kPlaneRecord);
    ops = word_of(bytes, 32);
  }
  static size_t count(size_t said, size_t room, size_t record) {
    return std::min(said, room / record);
  }

  size_t starts[6];  // values, tensors, planes, inputs and outputs, ops, data
  size_t values, tensors, planes, ops;
};

class Repair {
 public:
  explicit Repair(Bytes* bytes) : bytes_(*bytes), at_(*bytes) {}

  void all() {
    for (size_t i = 0; i < at_.tensors; ++i) constant(at_.starts[1] + i * kTensorRecord);
    planes();
    values();
    set_word(&bytes_, 16, bytes_.size());
    set_word(&bytes_, 20, 0);
  }

 private:
  static constexpr uint64_t kMostData = 1 << 16;  // bytes that a constant may grow to

  Shape shape_at(size_t at) const {
    Shape shape;
    shape.rank = static_cast<int32_t>(std::min<uint32_t>(word_of(bytes_, at), kMaxRank));
    int64_t elements = 1;
    for (size_t i = 0; i < kMaxRank; ++i) {
      shape.dims[i] = static_cast<int32_t>(
          std::clamp<uint32_t>(word_of(bytes_, at + 4 + 4 * i), 1, kMaxDimension));
      if (elements * shape.dims[i] > kMaxElements) shape.dims[i] = 1;
      elements *= shape.dims[i];
    }
    return shape;
  }

  // Moves a constant to the end where it needs more or fewer bytes than it has.
  void constant(size_t at) {
    const Shape shape = shape_at(at + 4);
    const uint32_t kind = word_of(bytes_, at);
    const uint64_t rows = std::max<uint32_t>(word_of(bytes_, at + 36), 1);
    const uint64_t groups = divide_up(static_cast<uint64_t>(shape.dims[0]), rows);
    const uint64_t wanted = kind == 2 ? groups * word_of(bytes_, at + 32) * 2
                                      : static_cast<uint64_t>(shape.elements()) * (kind ? 2 : 4);
    if (wanted == word_of(bytes_, at + 64) || wanted > kMostData) return;
    bytes_.resize(round_up(bytes_.size(), 8));
    set_word(&bytes_, at + 56, bytes_.size());
    set_word(&bytes_, at + 64, wanted);
    bytes_.resize(bytes_.size() + wanted, 0x30);
  }

  // Rows and bands of planes that one tensor reads, or that are its mask.
  void planes() {
    for (size_t i = 0; i < at_.tensors; ++i) {
      const size_t at = at_.starts[1] + i * kTensorRecord;
      if (word_of(bytes_, at) != 2) continue;
      const uint64_t weights = static_cast<uint64_t>(shape_at(at + 4).elements());
      const bool masked = word_of(bytes_, at + 48) != kNone;
      plane(word_of(bytes_, at + (masked ? 48 : 40)), weights);
    }
    for (size_t i = 0; i < at_.planes; ++i) {
      const size_t at = at_.starts[2] + i * kPlaneRecord;
      const uint64_t band_rows = std::max<uint32_t>(word_of(bytes_, at + 12), 1);
      set_word(&bytes_, at + 16, divide_up(word_of(bytes_, at + 8), band_rows));
    }
  }

  void plane(size_t number, uint64_t pixels) {
    if (number >= at_.planes) return;
    for (size_t i = 0, readers = 0; i < at_.tensors; ++i) {
      readers += word_of(bytes_, at_.starts[1] + i * kTensorRecord + 40) == number &&
                 word_of(bytes_, at_.starts[1] + i * kTensorRecord) == 2;
      if (readers > 1) return;
    }
    const size_t at = at_.starts[2] + number * kPlaneRecord;
    const uint64_t width = std::clamp<uint64_t>(word_of(bytes_, at + 4), 1, pixels);
    const uint64_t rows = divide_up(pixels, width);
    set_word(&bytes_, at + 4, width);
    set_word(&bytes_, at + 8, rows);
    set_word(&bytes_, at + 12, std::clamp<uint64_t>(word_of(bytes_, at + 12), 1, rows));
  }

  // Shapes of what ops make, in running order.
  void values() {
    Plan plan;
    (void)plan.values.reset(at_.values);
    (void)plan.tensors.reset(at_.tensors);
    for (size_t i = 0; i < at_.values; ++i) {
      plan.values[i] = shape_at(at_.starts[0] + i * kValueRecord);
    }
    for (size_t i = 0; i < at_.tensors; ++i) {
      plan.tensors[i].shape = shape_at(at_.starts[1] + i * kTensorRecord + 4);
    }
    size_t at = at_.starts[4];
    for (size_t i = 0; i < at_.ops && at + 20 <= bytes_.size(); ++i) {
      const size_t words = word_of(bytes_, at);
      if (words < 5 || words > (bytes_.size() - at) / 4) return;
      if (!value(&plan, at, words)) return;
      at += 4 * words;
    }
  }

  bool value(Plan* plan, size_t at, size_t words) {
    std::vector<uint32_t> record;
    for (size_t i = 0; i < words; ++i) record.push_back(word_of(bytes_, at + 4 * i));
    const uint32_t kind = record[1], made = record[2], inputs = record[3];
    if (kind < 1 || kind >= kOpKinds || made >= at_.values) return false;
    const OpSignature signature = kSignatures[kind];
    if (inputs < signature.min_inputs || inputs > signature.max_inputs ||
        words != 5 + uint64_t{inputs} + signature.attributes) {
      return false;
    }
    const Op op{kind, made, inputs, signature.attributes, record.data() + 5};
    for (uint32_t i = 0; i < inputs; ++i) {
      const Reference from = op.input(i);
      if (from.absent()) continue;
      if (from.number() >= (from.is_tensor() ? at_.tensors : at_.values)) return false;
    }
    for (uint32_t i = 0; i < signature.min_inputs; ++i) {
      if (op.input(i).absent()) return false;
    }
    if (static_cast<OpKind>(kind) == OpKind::kConcat) {
      for (uint32_t i = 0; i < inputs; ++i) {
        if (op.input(i).absent()) return false;
      }
    }
    Shape shape;
    if (!shape_of_output(*plan, op, &shape).ok()) return false;
    plan->values[made] = shape;
    const size_t to = at_.starts[0] + made * kValueRecord;
    set_word(&bytes_, to, static_cast<uint32_t>(shape.rank));
    for (size_t i = 0; i < kMaxRank; ++i) {
      set_word(&bytes_, to + 4 + 4 * i, static_cast<uint32_t>(shape.dims[i]));
    }
    return true;
  }

  Bytes& bytes_;
  Sections at_;
};

// Bands that a judged plan takes: filter 0 and pixels below every palette's size; a mask begins
// with as many ones as the plane behind it has pixels. Masks come first.
inline std::vector<BandBytes> fitting_bands(const Plan& plan, std::mt19937* dice) {
  std::vector<BandBytes> masks, planes;
  for (size_t n = 0; n < plan.planes.size(); ++n) {
    const Plane& plane = plan.planes[n];
    uint32_t levels = 256;
    uint64_t pixels = 0;
    for (uint32_t i = 0; i < plane.readers; ++i) {
      const Tensor& tensor = plan.tensors[plan.readers[plane.first_reader + i]];
      levels = std::min(levels, tensor.numbers() - (tensor.masked() ? 1 : 0));
      pixels += tensor.weights();
      const Plane& rest = plan.planes[tensor.plane];
      if (tensor.masked()) {
        pixels = std::min(uint64_t{rest.width} * rest.rows, tensor.weights());
      }
    }
    uint64_t at = 0;
    for (uint32_t b = 0; b < plane.bands; ++b) {
      const uint32_t rows = std::min(plane.band_rows, plane.rows - b * plane.band_rows);
      Bytes band;
      for (uint32_t r = 0; r < rows; ++r) {
        const size_t start = band.size() + 1;
        band.resize(start + plane.row_bytes());
        for (uint32_t x = 0; x < plane.width && at < pixels; ++x, ++at) {
          const uint32_t bit = x * plane.bits, most = std::min(levels, 1u << plane.bits);
          const uint32_t pixel = plane.is_mask ? 1 : static_cast<uint32_t>((*dice)() % most);
          band[start + bit / 8] |= static_cast<uint8_t>(pixel << (8 - plane.bits - bit % 8));
        }
      }
      (plane.is_mask ? masks : planes).push_back({static_cast<uint32_t>(n), b, band});
    }
  }
  masks.insert(masks.end(), planes.begin(), planes.end());
  return masks;
}

// Multiplications, or steps like them, of one op.
inline double work_of(const Plan& plan, const Op& op) {
  const Shape& x = plan.shape_of(op.input(0));
  const double in = static_cast<double>(x.elements());
  const double out = static_cast<double>(plan.values[op.output].elements());
  const auto weights = [&] {
    const Shape& w = plan.shape_of(op.input(1));
    return static_cast<double>(w.elements()) / w.dims[0];
  };
  switch (static_cast<OpKind>(op.kind)) {
    case OpKind::kConv2d:
    case OpKind::kLinear:
      return in + out * weights();
    case OpKind::kMatmul:
      return in + out * x.dims[x.rank - 1];
    case OpKind::kMaxPool:
    case OpKind::kAvgPool:
      return in + out * std::min<double>(op.integer(0), x.dims[2]) *
                      std::min<double>(op.integer(1), x.dims[3]);
    case OpKind::kLrn:
    case OpKind::kGroupedLrn:
      return in + out * std::min<double>(2.0 * op.integer(0), 2.0 * x.dims[1]);
    case OpKind::kResize:
      return in + out * 16;
    default:
      return in + out;
  }
}

inline double work_of(const Plan& plan) {
  double work = 0;
  for (const Shape& shape : plan.values) work += static_cast<double>(shape.elements());
  for (const Tensor& tensor : plan.tensors) work += static_cast<double>(tensor.weights());
  for (const Plane& plane : plan.planes) work += static_cast<double>(plane.rows) * plane.width;
  for (const Op& op : plan.ops) work += work_of(plan, op);
  return work;
}

}  // namespace pocketlens::test

#endif
