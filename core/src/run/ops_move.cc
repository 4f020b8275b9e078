// reshape, transpose, expand, pad: values stay, places change. (slice is in ops_channels.cc.)
#include <string.h>

#include <new>

#include "plan/ops.h"
#include "run/channels.h"
#include "run/ops.h"
#include "run/strides.h"

namespace pocketlens {
namespace {

// out, row-major, is the input walked by strides. Where the input is contiguous along another axis
// than the last, tiles of 16 x 16 keep both sides in cache.
class StridedCopy final : public Step {
 public:
  static constexpr int64_t kTile = 16;

  size_t items(size_t) const override { return (rows() + rows_per_item() - 1) / rows_per_item(); }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const float* in = frame.at(reads[0]) + offset;
    float* out = frame.at(writes);
    const size_t last = end * rows_per_item() < rows() ? end * rows_per_item() : rows();
    for (size_t row = begin * rows_per_item(); row < last; ++row) {
      int64_t from, to;
      outer.row_start(static_cast<int64_t>(row), &from, &to);
      copy_plane(in + from, out + to);
    }
  }

  size_t rows() const { return static_cast<size_t>(outer.rows()); }
  size_t rows_per_item() const {
    const size_t plane = static_cast<size_t>(plane_rows * plane_columns);
    return plane >= kChunk ? 1 : kChunk / plane;
  }

  // The axes outside of the plane (and a last one of 1), then the plane itself: rows go `row_in` in
  // the input and `row_out` in the output, columns `column_in` and 1.
  Walk outer;
  int64_t plane_rows = 1, row_in = 0, row_out = 0;
  int64_t plane_columns = 1, column_in = 0;
  int64_t offset = 0;

 private:
  void copy_plane(const float* in, float* out) const {
    if (column_in == 1) {
      for (int64_t r = 0; r < plane_rows; ++r) {
        memcpy(out + r * row_out, in + r * row_in,
               static_cast<size_t>(plane_columns) * sizeof(float));
      }
      return;
    }
    for (int64_t r0 = 0; r0 < plane_rows; r0 += kTile) {
      const int64_t r1 = r0 + kTile < plane_rows ? r0 + kTile : plane_rows;
      for (int64_t c0 = 0; c0 < plane_columns; c0 += kTile) {
        const int64_t c1 = c0 + kTile < plane_columns ? c0 + kTile : plane_columns;
        for (int64_t r = r0; r < r1; ++r) {
          for (int64_t c = c0; c < c1; ++c) out[r * row_out + c] = in[r * row_in + c * column_in];
        }
      }
    }
  }
};

// Splits the axes of `walk` (a: input, b: output) into a plane and what is outside.
void set_walk(const Walk& walk, StridedCopy* step) {
  const int32_t last = walk.rank - 1;
  if (last < 0) return;
  step->plane_columns = walk.dims[last];
  step->column_in = walk.a[last];
  int32_t row = -1;
  for (int32_t i = 0; i < last; ++i) {
    if (walk.a[i] == 1 && walk.a[last] != 1) row = i;
  }
  if (row < 0 && walk.a[last] == 1) row = last - 1;
  if (row >= 0) {
    step->plane_rows = walk.dims[row];
    step->row_in = walk.a[row];
    step->row_out = walk.b[row];
  }
  Walk& outer = step->outer;
  for (int32_t i = 0; i < last; ++i) {
    if (i != row) outer.add(walk.dims[i], walk.a[i], walk.b[i]);
  }
  // row_start() leaves the last axis out; this one is not walked.
  outer.dims[outer.rank++] = 1;
}

// pad, any mode: for each axis, the input's place of every place of the output (-1: the value).
class PadStep final : public Step {
 public:
  size_t items(size_t) const override { return (rows() + rows_per_item() - 1) / rows_per_item(); }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const size_t width = inner();
    const size_t last = end * rows_per_item() < rows() ? end * rows_per_item() : rows();
    for (size_t row = begin * rows_per_item(); row < last; ++row) {
      float* out = frame.at(writes) + row * width;
      size_t rest = row;
      int64_t from = 0;
      for (int32_t axis = rank - 2; axis >= 0 && from >= 0; --axis) {
        const int32_t place = places[axis][rest % places[axis].size()];
        rest /= places[axis].size();
        from = place < 0 ? -1 : from + place * strides[axis];
      }
      const float* in = frame.at(reads[0]) + (from < 0 ? 0 : from);
      const Array<int32_t>& columns = places[rank - 1];
      for (size_t i = 0; i < width; ++i) {
        out[i] = from < 0 || columns[i] < 0 ? value : in[columns[i]];
      }
    }
  }

  size_t inner() const { return places[rank - 1].size(); }
  size_t rows() const {
    size_t count = 1;
    for (int32_t i = 0; i + 1 < rank; ++i) count *= places[i].size();
    return count;
  }
  size_t rows_per_item() const { return inner() >= kChunk ? 1 : kChunk / inner(); }

  int32_t rank = 0;
  float value = 0;
  int64_t strides[kMaxRank] = {};
  Array<int32_t> places[kMaxRank];
};

bool fill_places(Array<int32_t>* places, int32_t size, int32_t before, int32_t after,
                 int32_t mode) {
  const size_t count =
      static_cast<size_t>(size) + static_cast<size_t>(before) + static_cast<size_t>(after);
  if (!places->reset(count)) return false;
  for (size_t i = 0; i < count; ++i) {
    int32_t place = static_cast<int32_t>(i) - before;
    if (place < 0 || place >= size) {
      if (mode == kPadConstant) place = -1;
      if (mode == kPadReflect) place = place < 0 ? -place : 2 * (size - 1) - place;
      if (mode == kPadEdge) place = place < 0 ? 0 : size - 1;
    }
    (*places)[i] = place;
  }
  return true;
}

// Blocked pictures get their pad as a halo.
bool build_halo(Builder& builder, const Op& op) {
  using namespace pad_at;
  const int32_t input = builder.blocked(op.input(0));
  const int32_t output = input < 0 ? -1 : builder.make(op, Layout::kBlocked);
  if (output < 0) return false;
  const Halo halo = {op.integer(kBefore + 2), op.integer(kBefore + 3), op.integer(kAfter + 2),
                     op.integer(kAfter + 3)};
  const Form blocked{Layout::kBlocked, {}}, padded{Layout::kBlocked, halo};
  return builder.add(
      new_convert(builder.shape(op.input(0)), input, blocked, output, padded, op.number(kValue)));
}

}  // namespace

bool build_strided_copy(Builder& builder, const Op& op, const int64_t* strides, int64_t offset) {
  StridedCopy* step = new (std::nothrow) StridedCopy;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Shape& out = builder.plan.values[op.output];
  int64_t out_strides[kMaxRank];
  plain_strides(out, out_strides);
  Walk walk;
  for (int32_t i = 0; i < out.rank; ++i) walk.add(out.dims[i], strides[i], out_strides[i]);
  set_walk(walk, step);
  step->offset = offset;
  const int32_t input = builder.plain(op.input(0));
  if (input < 0 || !step->reads.push(input)) return false;
  step->writes = builder.make(op, Layout::kPlain);
  return step->writes >= 0 && builder.add(owned.release());
}

bool build_reshape(Builder& builder, const Op& op) {
  const int32_t input = builder.plain(op.input(0));
  return input >= 0 && builder.make_alias(op, input);
}

bool build_transpose(Builder& builder, const Op& op) {
  const Shape& x = builder.shape(op.input(0));
  int64_t strides[kMaxRank], permuted[kMaxRank];
  plain_strides(x, strides);
  for (int32_t i = 0; i < x.rank; ++i) permuted[i] = strides[op.integer(static_cast<uint32_t>(i))];
  return build_strided_copy(builder, op, permuted, 0);
}

bool build_expand(Builder& builder, const Op& op) {
  int64_t strides[kMaxRank];
  broadcast_strides(builder.shape(op.input(0)), builder.plan.values[op.output].rank, strides);
  return build_strided_copy(builder, op, strides, 0);
}

bool build_pad(Builder& builder, const Op& op) {
  using namespace pad_at;
  const Shape& x = builder.shape(op.input(0));
  const bool outer = op.integer(kBefore) == 0 && op.integer(kBefore + 1) == 0 &&
                     op.integer(kAfter) == 0 && op.integer(kAfter + 1) == 0;
  if (x.rank == 4 && outer && op.integer(kMode) == kPadConstant &&
      builder.stands_blocked(op.input(0))) {
    return build_halo(builder, op);
  }
  PadStep* step = new (std::nothrow) PadStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  plain_strides(x, step->strides);
  step->rank = x.rank > 0 ? x.rank : 1;  // a scalar is an axis of 1
  for (uint32_t i = 0; i < static_cast<uint32_t>(step->rank); ++i) {
    if (!fill_places(&step->places[i], x.dims[i], op.integer(kBefore + i), op.integer(kAfter + i),
                     op.integer(kMode))) {
      return false;
    }
  }
  step->value = op.number(kValue);
  const int32_t input = builder.plain(op.input(0));
  if (input < 0 || !step->reads.push(input)) return false;
  step->writes = builder.make(op, Layout::kPlain);
  return step->writes >= 0 && builder.add(owned.release());
}

}  // namespace pocketlens
