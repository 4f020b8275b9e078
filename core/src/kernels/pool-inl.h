// A row of a max_pool or avg_pool: one channel a lane.
#ifndef POCKETLENS_KERNELS_POOL_INL_H
#define POCKETLENS_KERNELS_POOL_INL_H

#include "kernels/vector-inl.h"

namespace pocketlens {
namespace {

// kColumns taps in a row of a window; 0: known only when it runs. `at` stands at a vector of a
// pixel's first tap.
template <bool kAverage, int kColumns>
POCKETLENS_INLINE V pool_window(const PoolRow& row, const float* at) {
  V result = splat(kAverage ? 0.f : -__builtin_inff());
  for (int32_t y = 0; y < row.rows; ++y, at += row.down) {
    V sum = {};
    const float* tap = at;
    const int32_t columns = kColumns ? kColumns : row.columns;
    for (int32_t x = 0; x < columns; ++x, tap += row.right) {
      const V value = load(tap);
      if (kAverage) {
        sum += value;
      } else {
        result = select(value > result, value, result);
      }
    }
    if (kAverage) result += sum;
  }
  return kAverage ? result * row.scale : result;
}

template <bool kAverage, int kColumns>
void pool_pixels(const PoolRow& row) {
  for (int32_t p = 0; p < row.pixels; ++p) {
    const float* at = row.input + (size_t)p * row.step;
    for (int v = 0; v < kLanes; v += kWidth) {
      store(row.output + (size_t)p * kLanes + v, pool_window<kAverage, kColumns>(row, at + v));
    }
  }
}

void pool(const PoolRow& row) {
  if (row.average) return pool_pixels<true, 0>(row);
  if (!kSmallCode && row.columns == 3) return pool_pixels<false, 3>(row);
  if (!kSmallCode && row.columns == 2) return pool_pixels<false, 2>(row);
  return pool_pixels<false, 0>(row);
}

}  // namespace
}  // namespace pocketlens

#endif
