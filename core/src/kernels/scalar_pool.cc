// A row of a max_pool or avg_pool, plainly.
#include "kernels/scalar.h"

namespace pocketlens::scalar {
namespace {

float pool_lane(const PoolRow& row, const float* input) {
  double sum = 0;
  float most = -__builtin_inff();
  for (int32_t y = 0; y < row.rows; ++y) {
    for (int32_t x = 0; x < row.columns; ++x) {
      const float value = input[(size_t)y * row.down + (size_t)x * row.right];
      sum += (double)value;
      if (value > most) most = value;
    }
  }
  return row.average ? (float)(sum * (double)row.scale) : most;
}

}  // namespace

void pool(const PoolRow& row) {
  for (int32_t p = 0; p < row.pixels; ++p) {
    for (int32_t lane = 0; lane < kLanes; ++lane) {
      const float* input = row.input + (size_t)p * row.step + lane;
      row.output[(size_t)p * kLanes + (size_t)lane] = pool_lane(row, input);
    }
  }
}

}  // namespace pocketlens::scalar
