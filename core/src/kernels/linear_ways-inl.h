// Which way a linear goes: a few rows straight from the packed indices (linear_rows-inl.h), more of
// them through the micro-kernel (linear_batch-inl.h).
#ifndef POCKETLENS_KERNELS_LINEAR_WAYS_INL_H
#define POCKETLENS_KERNELS_LINEAR_WAYS_INL_H

#include "kernels/panel.h"

namespace pocketlens {
namespace {

// Rows whose sums stand in registers beside a palette; 1: the target has too few registers.
#if defined(__AVX512F__)
constexpr int kRowsAtOnce = 12;
#elif defined(__AVX2__)
constexpr int kRowsAtOnce = 5;
#elif defined(__aarch64__)
constexpr int kRowsAtOnce = 4;
#else
constexpr int kRowsAtOnce = 1;
#endif
// Panels that share the broadcast of an input, where indices have at most 4 bits.
#if defined(__AVX512F__)
constexpr int kPanelsAtOnce = 2;
#else
constexpr int kPanelsAtOnce = 1;
#endif

// Rows of a batch that go this way at most. More than can be summed at once decode anew; where that
// is dear, the micro-kernel's way is quicker.
int32_t few_rows(const Weights& w) {
  if (kRowsAtOnce == 1) return 1;
  const int32_t bits = index_bits(w.encoding);
  const bool cheap = bits == 0 || (bits < 8 && kPanelsAtOnce > 1);
  return cheap ? 2 * kRowsAtOnce : kRowsAtOnce;
}

}  // namespace
}  // namespace pocketlens

#endif
