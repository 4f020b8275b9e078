// reduce: over height and width of blocked pictures (global pooling), or over any axes of a plain
// array.
#include <new>

#include "base/lanes.h"
#include "plan/ops.h"
#include "run/ops.h"
#include "run/strides.h"

namespace pocketlens {
namespace {

struct Sum {
  static constexpr float kStart = 0;
  static float of(float a, float b) { return a + b; }
  static Lanes of(Lanes a, Lanes b) { return a + b; }
};
struct Most {
  static constexpr float kStart = -__builtin_inff();
  static float of(float a, float b) { return a > b || a != a ? a : b; }
  static Lanes of(Lanes a, Lanes b) { return greater_of(a, b); }
};
struct Least {
  static constexpr float kStart = __builtin_inff();
  static float of(float a, float b) { return a < b || a != a ? a : b; }
  static Lanes of(Lanes a, Lanes b) { return less_of(a, b); }
};

// How a kind joins floats.
struct Joins {
  float start;
  // `sum` joined with `count` times sixteen neighbours.
  Lanes (*across)(Lanes sum, const float* in, size_t count);
  // out[i] joined with in[i * step]
  void (*line)(float* out, const float* in, int64_t step, int64_t count);
};

template <typename F>
Lanes join_across(Lanes sum, const float* in, size_t count) {
  for (size_t i = 0; i < count; ++i) sum = F::of(sum, Lanes::load(in + i * kLanes));
  return sum;
}

template <typename F>
void join_line(float* out, const float* in, int64_t step, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = F::of(out[i], in[i * step]);
}

template <typename F>
constexpr Joins joins_of() {
  return {F::kStart, join_across<F>, join_line<F>};
}

constexpr Joins kJoins[kReduceKinds] = {joins_of<Sum>(), joins_of<Sum>(), joins_of<Most>(),
                                        joins_of<Least>()};

// One block, row by row, so that rounding grows with the rows and not with the pixels.
Lanes join_block(const Joins& joins, const float* in, int32_t height, int32_t width) {
  Lanes all = Lanes::splat(joins.start);
  for (int32_t y = 0; y < height; ++y, in += width * kLanes) {
    float row[kLanes];
    joins.across(Lanes::splat(joins.start), in, static_cast<size_t>(width)).store(row);
    all = joins.across(all, row, 1);
  }
  return all;
}

// (N,C,H,W) to (N,C,1,1) blocked, or (N,C) plain. An item is a block.
class GlobalReduce final : public Step {
 public:
  size_t items(size_t) const override {
    return static_cast<size_t>(pictures.images) * static_cast<size_t>(pictures.blocks());
  }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const size_t block = static_cast<size_t>(pictures.pixels()) * kLanes;
    for (size_t item = begin; item < end; ++item) {
      const float* in = frame.at(reads[0]) + item * block;
      Lanes result = join_block(kJoins[kind], in, pictures.height, pictures.width);
      if (kind == kReduceMean) {
        result = result / Lanes::splat(static_cast<float>(pictures.pixels()));
      }
      store(result, item, frame.at(writes));
    }
  }

  Pictures pictures = {};
  int32_t kind = 0;
  bool plain = false;

 private:
  void store(Lanes result, size_t item, float* out) const {
    if (!plain) return result.store(out + item * kLanes);
    float lanes[kLanes];
    result.store(lanes);
    const size_t blocks = static_cast<size_t>(pictures.blocks());
    const size_t channels = static_cast<size_t>(pictures.channels);
    const size_t first = item % blocks * kLanes;
    for (size_t c = first; c < channels && c < first + kLanes; ++c) {
      out[item / blocks * channels + c] = lanes[c - first];
    }
  }
};

// An item is a run of rows of kept axes; `inner` floats of the last kept axis stand side by side.
class PlainReduce final : public Step {
 public:
  size_t items(size_t) const override { return (rows() + kRows - 1) / kRows; }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const size_t last = end * kRows < rows() ? end * kRows : rows();
    for (size_t row = begin * kRows; row < last; ++row) {
      int64_t at, none;
      kept.row_start(static_cast<int64_t>(row), &at, &none);
      float* out = frame.at(writes) + row * static_cast<size_t>(kept.inner());
      reduce_row(kJoins[kind], frame.at(reads[0]) + at, out);
      const int64_t count = gone.rows() * gone.inner();
      for (int64_t i = 0; i < kept.inner() && kind == kReduceMean; ++i) {
        out[i] /= static_cast<float>(count);
      }
    }
  }

  static constexpr size_t kRows = 16;
  size_t rows() const { return static_cast<size_t>(kept.rows()); }

  Walk kept, gone;
  int32_t kind = 0;

 private:
  // The innermost axis that goes, whose floats are neighbours.
  void join_run(const Joins& joins, float* out, const float* in) const {
    const int64_t count = gone.inner(), whole = count / kLanes * kLanes;
    float each[kLanes];
    joins.across(Lanes::splat(joins.start), in, static_cast<size_t>(count / kLanes)).store(each);
    float joined = joins.start;
    for (const float value : each) joins.line(&joined, &value, 0, 1);
    for (int64_t i = whole; i < count; ++i) joins.line(&joined, in + i, 0, 1);
    joins.line(out, &joined, 0, 1);
  }

  void reduce_row(const Joins& joins, const float* in, float* out) const {
    const int64_t inner = kept.inner(), step = kept.inner_a();
    for (int64_t i = 0; i < inner; ++i) out[i] = joins.start;
    for (int64_t r = 0; r < gone.rows(); ++r) {
      int64_t at, none;
      gone.row_start(r, &at, &none);
      const float* line = in + at;
      if (gone.inner_a() == 1) {
        for (int64_t i = 0; i < inner; ++i) join_run(joins, out + i, line + i * step);
        continue;
      }
      for (int64_t k = 0; k < gone.inner(); ++k, line += gone.inner_a()) {
        joins.line(out, line, step, inner);
      }
    }
  }
};

bool is_reduced(const Op& op, int32_t axis) {
  for (uint32_t i = 0; i < kMaxRank; ++i) {
    if (op.integer(reduce_at::kAxes + i) == axis) return true;
  }
  return false;
}

bool build_global(Builder& builder, const Op& op) {
  GlobalReduce* step = new (std::nothrow) GlobalReduce;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  step->pictures = pictures_of(builder.shape(op.input(0)));
  step->kind = op.integer(reduce_at::kKind);
  step->plain = op.integer(reduce_at::kKeep) == 0;
  const int32_t input = builder.blocked(op.input(0));
  if (input < 0 || !step->reads.push(input)) return false;
  step->writes = builder.make(op, step->plain ? Layout::kPlain : Layout::kBlocked);
  return step->writes >= 0 && builder.add(owned.release());
}

}  // namespace

bool build_reduce(Builder& builder, const Op& op) {
  const Shape& x = builder.shape(op.input(0));
  const bool over_pixels = x.rank == 4 && !is_reduced(op, 0) && !is_reduced(op, 1) &&
                           is_reduced(op, 2) && is_reduced(op, 3);
  if (over_pixels && builder.stands_blocked(op.input(0))) return build_global(builder, op);
  PlainReduce* step = new (std::nothrow) PlainReduce;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  int64_t strides[kMaxRank];
  plain_strides(x, strides);
  for (int32_t i = 0; i < x.rank; ++i) {
    (is_reduced(op, i) ? step->gone : step->kept).add(x.dims[i], strides[i], 0);
  }
  step->kind = op.integer(reduce_at::kKind);
  const int32_t input = builder.plain(op.input(0));
  if (input < 0 || !step->reads.push(input)) return false;
  step->writes = builder.make(op, Layout::kPlain);
  return step->writes >= 0 && builder.add(owned.release());
}

}  // namespace pocketlens
