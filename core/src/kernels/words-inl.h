// What a word of four bytes holds of a conv2d's or a batch's inputs, and of the weights that go
// with it: one float; or, where a target defines POCKETLENS_BF16, two neighbouring inputs of an
// output in bfloat16, the first in the low half. Their products are summed in float32.
//
// bfloat16 is the upper half of a float32, rounded to nearest, ties to even; a subnormal number is
// taken for zero (Intel 64 and IA-32 Software Developer's Manual, volume 2, VCVTNEPS2BF16 and
// VDPBF16PS).
#ifndef POCKETLENS_KERNELS_WORDS_INL_H
#define POCKETLENS_KERNELS_WORDS_INL_H

#include "kernels/vector-inl.h"

namespace pocketlens {
namespace {

#if defined(POCKETLENS_BF16)

constexpr int kWordInputs = 2;

POCKETLENS_INLINE V add_products(V weights, V inputs, V sum) {
  return (V)_mm512_dpbf16_ps((__m512)sum, (__m512bh)weights, (__m512bh)inputs);
}

// Lane by lane a word of two inputs.
POCKETLENS_INLINE V word_of(V first, V second) {
  const __m512i turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
  return (V)_mm512_permutexvar_epi16(turns, halves);
}

// 16 values, rounded, in eight words.
POCKETLENS_INLINE void store_rounded(float* words, V v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), (__m256i)_mm512_cvtneps_pbh((__m512)v));
}

// y[i] = x[i], rounded.
void round_to_bf16(const float* x, uint16_t* y, size_t count) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const __m256i rounded = (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(x + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), rounded);
  }
  if (i == count) return;
  const __mmask16 rest = (__mmask16)((1u << (count - i)) - 1);
  const __m256i rounded = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(rest, x + i));
  _mm256_mask_storeu_epi16(y + i, rest, rounded);
}

#else

constexpr int kWordInputs = 1;

POCKETLENS_INLINE V add_products(V weights, V inputs, V sum) {
  return multiply_add(weights, inputs, sum);
}

POCKETLENS_INLINE V word_of(V only, V) { return only; }

POCKETLENS_INLINE void store_rounded(float* words, V v) { store(words, v); }

#endif

// Rows [k][16] of weights to words [words][columns] of 16 outputs each; where the last is not full,
// zeros fill it up.
POCKETLENS_INLINE void pack_words(const float* rows, int32_t count, float* out, size_t columns) {
  for (int32_t k = 0; k < count; k += kWordInputs, out += columns, rows += kWordInputs * kLanes) {
    for (int v = 0; v < kLanes; v += kWidth) {
      store(out + v, word_of(load(rows + v), k + 1 < count ? load(rows + kLanes + v) : V{}));
    }
  }
}

}  // namespace
}  // namespace pocketlens

#endif
