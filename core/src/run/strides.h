// Plain arrays walked by strides: what broadcasting, slices, transposes and reductions share.
#ifndef POCKETLENS_RUN_STRIDES_H
#define POCKETLENS_RUN_STRIDES_H

#include <stddef.h>
#include <stdint.h>

#include "plan/plan.h"

namespace pocketlens {

// Up to six axes, outermost first, and for each of up to two arrays how far a step goes (floats;
// negative for a slice that runs backwards, 0 where an axis is broadcast).
struct Walk {
  int32_t rank = 0;
  int64_t dims[kMaxRank] = {1, 1, 1, 1, 1, 1};
  int64_t a[kMaxRank] = {};
  int64_t b[kMaxRank] = {};

  void add(int64_t dim, int64_t a_stride, int64_t b_stride) {
    if (dim == 1) return;
    // An axis that continues the one before it is part of it.
    if (rank > 0 && a[rank - 1] == a_stride * dim && b[rank - 1] == b_stride * dim) {
      dims[rank - 1] *= dim;
      a[rank - 1] = a_stride;
      b[rank - 1] = b_stride;
      return;
    }
    dims[rank] = dim;
    a[rank] = a_stride;
    b[rank] = b_stride;
    ++rank;
  }

  // The innermost axis; 1 with strides 0 for a scalar.
  int64_t inner() const { return rank > 0 ? dims[rank - 1] : 1; }
  int64_t inner_a() const { return rank > 0 ? a[rank - 1] : 0; }
  int64_t inner_b() const { return rank > 0 ? b[rank - 1] : 0; }
  // How often the innermost axis is walked.
  int64_t rows() const {
    int64_t count = 1;
    for (int32_t i = 0; i + 1 < rank; ++i) count *= dims[i];
    return count;
  }
  // Where row number `row` starts in each array.
  void row_start(int64_t row, int64_t* a_at, int64_t* b_at) const {
    *a_at = *b_at = 0;
    for (int32_t i = rank - 2; i >= 0; --i) {
      const int64_t place = row % dims[i];
      row /= dims[i];
      *a_at += place * a[i];
      *b_at += place * b[i];
    }
  }
};

// Row-major strides of a shape.
inline void plain_strides(const Shape& shape, int64_t* strides) {
  int64_t stride = 1;
  for (int32_t i = shape.rank - 1; i >= 0; --i) {
    strides[i] = stride;
    stride *= shape.dims[i];
  }
}

// Strides of `shape` against `rank` axes of a result that it is broadcast to.
inline void broadcast_strides(const Shape& shape, int32_t rank, int64_t* strides) {
  int64_t own[kMaxRank];
  plain_strides(shape, own);
  const int32_t shift = rank - shape.rank;
  for (int32_t i = 0; i < rank; ++i) {
    strides[i] = i < shift || shape.dims[i - shift] == 1 ? 0 : own[i - shift];
  }
}

}  // namespace pocketlens

#endif
