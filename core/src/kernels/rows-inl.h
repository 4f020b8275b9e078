// softmax and layer_norm of rows that stand in memory as they are, several passes over each, which
// the first cache holds.
#ifndef POCKETLENS_KERNELS_ROWS_INL_H
#define POCKETLENS_KERNELS_ROWS_INL_H

#include <math.h>

#include "kernels/math-inl.h"

namespace pocketlens {
namespace {

// The last vector of a row whose length is no multiple of a vector's. Where what follows a row is
// another's, it is moved back over lanes that vectors before it have; `own` are those that none
// has.
struct RowEnd {
  size_t whole;  // vectors before it
  size_t first;  // number of its first value in the row
  I own;
  bool any;
};

RowEnd row_end(size_t size, bool moved_back) {
  const size_t whole = size / kWidth, rest = size % kWidth;
  RowEnd end = {whole, whole * kWidth, {}, rest > 0};
  if (moved_back && rest > 0) end.first = size - kWidth;
  for (size_t i = 0; i < kWidth; ++i) {
    end.own[i] = (moved_back ? i >= kWidth - rest : i < rest) ? -1 : 0;
  }
  return end;
}

POCKETLENS_INLINE V greater_of(V a, V b) { return select(b > a, b, a); }

void softmax(const float* x, float* y, size_t size) {
  const V least = splat(-__builtin_inff());
  if (size < kWidth) {
    float row[kWidth];
    store(row, least);
    memcpy(row, x, size * sizeof(float));
    softmax(row, row, kWidth);
    memcpy(y, row, size * sizeof(float));
    return;
  }
  const RowEnd end = row_end(size, true);
  V most = load(x);
  for (size_t i = 1; i < end.whole; ++i) most = greater_of(most, load(x + i * kWidth));
  if (end.any) most = greater_of(most, load(x + end.first));
  most = greatest_lane(most);
  // Read before its neighbours are overwritten: y may be x.
  const V last = end.any ? exponential_near(load(x + end.first) - most) : V{};
  V sum = select(end.own, last, V{});
  for (size_t i = 0; i < end.whole; ++i) {
    const V value = exponential_near(load(x + i * kWidth) - most);
    store(y + i * kWidth, value);
    sum += value;
  }
  const V scale = 1.f / sum_of_lanes(sum);
  for (size_t i = 0; i < end.whole; ++i) store(y + i * kWidth, load(y + i * kWidth) * scale);
  if (end.any) store(y + end.first, last * scale);
}

// Vectors of a row are found by the number of their first value.
struct NormRow {
  const NormRows& norm;
  const float* in;
  float* out;

  POCKETLENS_INLINE size_t place(size_t k) const { return k / kLanes * norm.block + k % kLanes; }
  POCKETLENS_INLINE void finish(size_t k, V centered, float factor) const {
    V result = centered * factor;
    if (norm.scale) result *= load(norm.scale + k);
    if (norm.bias) result += load(norm.bias + k);
    store(out + place(k), result);
  }
};

POCKETLENS_MATH void normalize_row(const NormRow& row, const RowEnd& end) {
  const V last = end.any ? load(row.in + row.place(end.first)) : V{};
  const float count = (float)row.norm.size;
  V sum = select(end.own, last, V{});
  for (size_t i = 0; i < end.whole; ++i) sum += load(row.in + row.place(i * kWidth));
  const V mean = sum_of_lanes(sum) / count;
  const V last_centered = select(end.own, last - mean, V{});
  V squares = last_centered * last_centered;
  for (size_t i = 0; i < end.whole; ++i) {
    const V centered = load(row.in + row.place(i * kWidth)) - mean;
    squares = multiply_add(centered, centered, squares);
  }
  const float variance = sum_of_lanes(squares)[0] / count;
  const float factor = 1.f / sqrtf(variance + row.norm.epsilon);
  for (size_t i = 0; i < end.whole; ++i) {
    row.finish(i * kWidth, load(row.in + row.place(i * kWidth)) - mean, factor);
  }
  if (end.any) row.finish(end.first, last - mean, factor);
}

// Rows shorter than a vector, one by one through a copy.
void normalize_short(const NormRows& norm) {
  float x[kWidth] = {}, scale[kWidth] = {}, bias[kWidth] = {};
  const size_t bytes = norm.size * sizeof(float);
  NormRows copy = norm;
  if (norm.scale) copy.scale = static_cast<float*>(memcpy(scale, norm.scale, bytes));
  if (norm.bias) copy.bias = static_cast<float*>(memcpy(bias, norm.bias, bytes));
  const RowEnd end = row_end(norm.size, false);
  for (size_t i = 0; i < norm.rows; ++i) {
    memcpy(x, norm.input + i * norm.row, bytes);
    normalize_row({copy, x, x}, end);
    memcpy(norm.output + i * norm.row, x, bytes);
  }
}

void normalize(const NormRows& norm) {
  const bool apart = norm.block != kLanes;
  if (!apart && norm.size < kWidth) return normalize_short(norm);
  const RowEnd end = row_end(norm.size, !apart);
  for (size_t i = 0; i < norm.rows; ++i) {
    normalize_row({norm, norm.input + i * norm.row, norm.output + i * norm.row}, end);
  }
}

}  // namespace
}  // namespace pocketlens

#endif
