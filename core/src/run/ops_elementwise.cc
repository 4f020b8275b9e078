// unary and binary. A binary on blocked pictures knows four kinds of operand: like the output, one
// number a channel (squeeze-excite), one a pixel, one for all; everything else is walked by
// strides.
#include <math.h>

#include <new>

#include "base/lanes.h"
#include "plan/ops.h"
#include "run/ops.h"
#include "run/strides.h"

namespace pocketlens {
namespace {

class UnaryStep final : public Step {
 public:
  size_t items(size_t images) const override { return chunks_of(count * images); }
  bool is_by_rows() const override { return plain; }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const size_t all = count * frame.images, first = begin * kChunk;
    const size_t last = end * kChunk < all ? end * kChunk : all;
    frame.kernels->activate(frame.at(reads[0]) + first, frame.at(writes) + first, last - first,
                            activation);
  }

  size_t count = 0;
  bool plain = false;
  Activation activation = {};
};

// The functions of BINARY in graph/ops.py, on one float and on sixteen.
struct Add {
  template <typename T>
  static T of(T a, T b) {
    return a + b;
  }
};
struct Sub {
  template <typename T>
  static T of(T a, T b) {
    return a - b;
  }
};
struct Mul {
  template <typename T>
  static T of(T a, T b) {
    return a * b;
  }
};
struct Div {
  template <typename T>
  static T of(T a, T b) {
    return a / b;
  }
};
// What is not a number stays so, whichever side it stands on.
struct Max {
  static float of(float a, float b) { return a > b || a != a ? a : b; }
  static Vector4 of(Vector4 a, Vector4 b) { return ((a > b) | (a != a)) ? a : b; }
  static Lanes of(Lanes x, Lanes y) {
    return {of(x.a, y.a), of(x.b, y.b), of(x.c, y.c), of(x.d, y.d)};
  }
};
struct Min {
  static float of(float a, float b) { return a < b || a != a ? a : b; }
  static Vector4 of(Vector4 a, Vector4 b) { return ((a < b) | (a != a)) ? a : b; }
  static Lanes of(Lanes x, Lanes y) {
    return {of(x.a, y.a), of(x.b, y.b), of(x.c, y.c), of(x.d, y.d)};
  }
};
struct Prelu {
  static float of(float a, float b) { return a >= 0 ? a : a * b; }
  static Vector4 of(Vector4 a, Vector4 b) { return a >= 0 ? a : a * b; }
  static Lanes of(Lanes x, Lanes y) {
    return {of(x.a, y.a), of(x.b, y.b), of(x.c, y.c), of(x.d, y.d)};
  }
};
struct Pow {
  static float of(float a, float b) { return b == 2.0f ? a * a : powf(a, b); }
  static Lanes of(Lanes x, Lanes y) {
    float a[kLanes], b[kLanes];
    x.store(a);
    y.store(b);
    for (int i = 0; i < kLanes; ++i) a[i] = of(a[i], b[i]);
    return Lanes::load(a);
  }
};

// How an operand goes along with pixels of sixteen lanes.
enum class Operand : uint8_t { kFull, kChannel, kPixel, kScalar, kOther };

using LaneLoop = void (*)(const float* full, const float* other, Operand kind, bool swapped,
                          float* out, size_t pixels);
using RowLoop = void (*)(const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                         float* out, size_t count);

// out = F(full, other), or F(other, full) where swapped.
template <typename F>
void lane_loop(const float* full, const float* other, Operand kind, bool swapped, float* out,
               size_t pixels) {
  const bool one = kind == Operand::kPixel || kind == Operand::kScalar;
  const size_t step = kind == Operand::kFull ? kLanes : kind == Operand::kPixel ? 1 : 0;
  for (size_t i = 0; i < pixels; ++i, other += step) {
    const Lanes x = Lanes::load(full + i * kLanes);
    const Lanes y = one ? Lanes::splat(*other) : Lanes::load(other);
    F::of(swapped ? y : x, swapped ? x : y).store(out + i * kLanes);
  }
}

template <typename F>
void row_loop(const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* out,
              size_t count) {
  if (a_stride == 1 && b_stride == 1) {
    for (size_t i = 0; i < count; ++i) out[i] = F::of(a[i], b[i]);
  } else {
    for (size_t i = 0; i < count; ++i, a += a_stride, b += b_stride) out[i] = F::of(*a, *b);
  }
}

struct BinaryLoops {
  LaneLoop lanes;
  RowLoop row;
};

template <typename F>
constexpr BinaryLoops loops_of() {
  return {lane_loop<F>, row_loop<F>};
}

constexpr BinaryLoops kLoops[kBinaryKinds] = {loops_of<Add>(), loops_of<Sub>(),  loops_of<Mul>(),
                                              loops_of<Div>(), loops_of<Pow>(),  loops_of<Max>(),
                                              loops_of<Min>(), loops_of<Prelu>()};

void finish(const Frame& frame, const Activation& activation, float* out, size_t count) {
  if (activation.kind != kNoActivation) frame.kernels->activate(out, out, count, activation);
}

// reads[0] is the operand that is like the output. An item is a run of pixels of one block.
class BlockedBinary final : public Step {
 public:
  static constexpr size_t kPixels = kChunk / kLanes;

  size_t items(size_t) const override { return groups * items_per_group(); }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    for (size_t item = begin; item < end; ++item) {
      const size_t group = item / items_per_group();
      const size_t first = item % items_per_group() * kPixels;
      const size_t count = pixels - first < kPixels ? pixels - first : kPixels;
      const size_t at = (group * pixels + first) * kLanes;
      const float* other = frame.at(reads[1]);
      if (kind == Operand::kFull) other += at;
      if (kind == Operand::kChannel) other += group % other_groups * kLanes;
      if (kind == Operand::kPixel) other += group / blocks % other_images * pixels + first;
      float* out = frame.at(writes) + at;
      loop(frame.at(reads[0]) + at, other, kind, swapped, out, count);
      finish(frame, activation, out, count * kLanes);
    }
  }
  size_t items_per_group() const { return (pixels + kPixels - 1) / kPixels; }

  LaneLoop loop = nullptr;
  Operand kind = Operand::kFull;
  bool swapped = false;                       // reads[0] is the second operand
  size_t groups = 0, blocks = 0, pixels = 0;  // blocks of all images; of one; pixels of each
  size_t other_groups = 1, other_images = 1;
  Activation activation = {};
};

// Plain arrays; an item is a run of rows.
class PlainBinary final : public Step {
 public:
  size_t items(size_t) const override { return (rows() + rows_per_item() - 1) / rows_per_item(); }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const size_t last = end * rows_per_item() < rows() ? end * rows_per_item() : rows();
    const size_t inner = static_cast<size_t>(walk.inner());
    for (size_t row = begin * rows_per_item(); row < last; ++row) {
      int64_t a_at, b_at;
      walk.row_start(static_cast<int64_t>(row), &a_at, &b_at);
      float* out = frame.at(writes) + row * inner;
      loop(frame.at(reads[0]) + a_at, walk.inner_a(), frame.at(reads[1]) + b_at, walk.inner_b(),
           out, inner);
      finish(frame, activation, out, inner);
    }
  }
  size_t rows() const { return static_cast<size_t>(walk.rows()); }
  size_t rows_per_item() const {
    const size_t inner = static_cast<size_t>(walk.inner());
    return inner >= kChunk ? 1 : kChunk / inner;
  }

  RowLoop loop = nullptr;
  Walk walk;
  Activation activation = {};
};

// The last four axes of `shape`, filled up with 1 from the left.
void four_axes(const Shape& shape, int32_t* dims) {
  for (int32_t i = 0; i < 4; ++i) {
    const int32_t axis = shape.rank - 4 + i;
    dims[i] = axis >= 0 ? shape.dims[axis] : 1;
  }
}

Operand operand_of(const Builder& builder, Reference reference, const Shape& out) {
  const Shape& shape = builder.shape(reference);
  if (shape == out) return Operand::kFull;
  int32_t d[4];
  four_axes(shape, d);
  if (shape.elements() == 1) return Operand::kScalar;
  const bool images = d[0] == 1 || d[0] == out.dims[0];
  if (images && d[1] == out.dims[1] && d[2] == 1 && d[3] == 1) {
    return shape.rank == 4 || reference.is_tensor() ? Operand::kChannel : Operand::kOther;
  }
  if (images && d[1] == 1 && d[2] == out.dims[2] && d[3] == out.dims[3]) return Operand::kPixel;
  return Operand::kOther;
}

// The other operand in the form that its kind is read in. One number a channel, (C,1,1) of a
// constant, is plain and blocked in one: every buffer is filled up to 16.
int32_t use_other(Builder& builder, Reference reference, Operand kind) {
  const bool blocked =
      kind == Operand::kFull || (kind == Operand::kChannel && builder.shape(reference).rank == 4);
  return blocked ? builder.blocked(reference) : builder.plain(reference);
}

bool build_blocked(Builder& builder, const Op& op, Operand a, Operand b) {
  BlockedBinary* step = new (std::nothrow) BlockedBinary;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Pictures out = pictures_of(builder.plan.values[op.output]);
  const BinaryLoops& loops = kLoops[op.integer(binary_at::kKind)];
  const bool swapped = a != Operand::kFull;
  const Reference full = op.input(swapped ? 1 : 0), other = op.input(swapped ? 0 : 1);
  step->loop = loops.lanes;
  step->swapped = swapped;
  step->kind = swapped ? a : b;
  step->blocks = static_cast<size_t>(out.blocks());
  step->groups = static_cast<size_t>(out.images) * step->blocks;
  step->pixels = static_cast<size_t>(out.pixels());
  int32_t dims[4];
  four_axes(builder.shape(other), dims);
  step->other_images = static_cast<size_t>(dims[0]);
  step->other_groups = step->other_images * step->blocks;
  step->activation = activation_of(op, binary_at::kActivation);
  const int32_t first = builder.blocked(full);
  const int32_t second = first < 0 ? -1 : use_other(builder, other, step->kind);
  if (second < 0 || !step->reads.push(first) || !step->reads.push(second)) return false;
  step->in_place = first;
  step->writes = builder.make(op, Layout::kBlocked);
  return step->writes >= 0 && builder.add(owned.release());
}

bool build_plain(Builder& builder, const Op& op) {
  PlainBinary* step = new (std::nothrow) PlainBinary;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Shape& a = builder.shape(op.input(0));
  const Shape& b = builder.shape(op.input(1));
  const Shape& out = builder.plan.values[op.output];
  int64_t a_strides[kMaxRank], b_strides[kMaxRank];
  broadcast_strides(a, out.rank, a_strides);
  broadcast_strides(b, out.rank, b_strides);
  for (int32_t i = 0; i < out.rank; ++i) {
    step->walk.add(out.dims[i], a_strides[i], b_strides[i]);
  }
  step->loop = kLoops[op.integer(binary_at::kKind)].row;
  step->activation = activation_of(op, binary_at::kActivation);
  const int32_t first = builder.plain(op.input(0));
  const int32_t second = first < 0 ? -1 : builder.plain(op.input(1));
  if (second < 0 || !step->reads.push(first) || !step->reads.push(second)) return false;
  if (a == out) {
    step->in_place = first;
  } else if (b == out) {
    step->in_place = second;
  }
  step->writes = builder.make(op, Layout::kPlain);
  return step->writes >= 0 && builder.add(owned.release());
}

}  // namespace

bool build_unary(Builder& builder, const Op& op) {
  UnaryStep* step = new (std::nothrow) UnaryStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Reference x = op.input(0);
  const Layout layout = builder.stands_blocked(x) ? Layout::kBlocked : Layout::kPlain;
  const int32_t input = builder.use(x, Form{layout, {}});
  if (input < 0 || !step->reads.push(input)) return false;
  step->activation = activation_of(op, 0);
  step->in_place = input;
  step->plain = layout == Layout::kPlain;
  step->writes = builder.make(op, layout);
  if (step->writes < 0) return false;
  step->count = layout == Layout::kPlain
                    ? static_cast<size_t>(builder.shape(x).elements())
                    : static_cast<size_t>(builder.buffers[step->writes].floats);
  return builder.add(owned.release());
}

bool build_binary(Builder& builder, const Op& op) {
  const Shape& out = builder.plan.values[op.output];
  if (out.rank == 4 &&
      (builder.stands_blocked(op.input(0)) || builder.stands_blocked(op.input(1)))) {
    const Operand a = operand_of(builder, op.input(0), out);
    const Operand b = operand_of(builder, op.input(1), out);
    const bool one_full = a == Operand::kFull || b == Operand::kFull;
    if (one_full && a != Operand::kOther && b != Operand::kOther) {
      return build_blocked(builder, op, a, b);
    }
  }
  return build_plain(builder, op);
}

}  // namespace pocketlens
