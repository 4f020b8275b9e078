// Palette look-up with AVX-512 VBMI.
//
// Up to 4 bits: the palette, repeated to 16 entries, is one register, and vpermps reads only the
// low 4 bits of an index; so words are shifted but never masked.
// 8 bits: the low and the high bytes of 256 half-precision entries are four registers each;
// vpermb reads the low 6 bits of an index, its two high bits choose one of the four.
#ifndef POCKETLENS_KERNELS_LOOKUP_AVX512_INL_H
#define POCKETLENS_KERNELS_LOOKUP_AVX512_INL_H

// GCC 12 warns of its own header's way to say "any value".
#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include "kernels/panel.h"
#include "kernels/vector-inl.h"

namespace pocketlens {
namespace {

POCKETLENS_INLINE V load_half(const uint16_t* p) {
  return (V)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

struct SmallTable {
  __m512 entries;
};

POCKETLENS_INLINE SmallTable load_small_table(const uint16_t* palette, int bits) {
  uint16_t repeated[16];
  for (int i = 0; i < 16; ++i) repeated[i] = palette[i & ((1 << bits) - 1)];
  return {(__m512)load_half(repeated)};
}

// Hands sink(k, vector, V) the weights of one packed row of 64 bytes.
template <int kBits, class Sink>
POCKETLENS_INLINE void look_up_small(const uint8_t* row, const SmallTable& table, Sink sink) {
  const __m512i words = _mm512_loadu_si512(row);
  POCKETLENS_UNROLL
  for (int k = 0; k < 32 / kBits; ++k) {
    const __m512i indices = _mm512_srli_epi32(words, (unsigned)(k * kBits));
    sink(k, 0, (V)_mm512_permutexvar_ps(indices, table.entries));
  }
}

// Two packed rows of two panels side by side: sink(k, 0, {weights of the first, of the second}).
template <int kBits, class Sink>
POCKETLENS_INLINE void look_up_pair(const uint8_t* first, const uint8_t* second,
                                    const SmallTable& first_table, const SmallTable& second_table,
                                    Sink sink) {
  const __m512i a = _mm512_loadu_si512(first), b = _mm512_loadu_si512(second);
  POCKETLENS_UNROLL
  for (int k = 0; k < 32 / kBits; ++k) {
    const unsigned shift = (unsigned)(k * kBits);
    const V weights[2] = {
        (V)_mm512_permutexvar_ps(_mm512_srli_epi32(a, shift), first_table.entries),
        (V)_mm512_permutexvar_ps(_mm512_srli_epi32(b, shift), second_table.entries)};
    sink(k, 0, weights);
  }
}

struct ByteTable {
  __m512i low[4], high[4];
};

POCKETLENS_INLINE ByteTable load_byte_table(const uint16_t* palette) {
  alignas(64) uint8_t low[256], high[256];
  for (int i = 0; i < 256; ++i) {
    low[i] = (uint8_t)palette[i];
    high[i] = (uint8_t)(palette[i] >> 8);
  }
  ByteTable table;
  for (int i = 0; i < 4; ++i) {
    table.low[i] = _mm512_load_si512(low + 64 * i);
    table.high[i] = _mm512_load_si512(high + 64 * i);
  }
  return table;
}

// Where the index of input k (0..3) and output lane stands in a row, so that joining bytes to
// halves within quarters of a register brings 16 outputs of one input together.
POCKETLENS_INLINE int byte_place(int k, int lane) {
  const int quarter = k % 2 * 2 + lane / 8, place = k / 2 * 8 + lane % 8;
  return quarter * 16 + place;
}

POCKETLENS_INLINE __m512i look_up_plane(__m512i index, const __m512i plane[4],
                                        const __mmask64 quarter[4]) {
  __m512i bytes = _mm512_permutexvar_epi8(index, plane[0]);
  bytes = _mm512_mask_permutexvar_epi8(bytes, quarter[1], index, plane[1]);
  bytes = _mm512_mask_permutexvar_epi8(bytes, quarter[2], index, plane[2]);
  return _mm512_mask_permutexvar_epi8(bytes, quarter[3], index, plane[3]);
}

template <class Sink>
POCKETLENS_INLINE void look_up_byte(const uint8_t* row, const ByteTable& table, Sink sink) {
  const __m512i index = _mm512_loadu_si512(row);
  const __mmask64 bit6 = _mm512_test_epi8_mask(index, _mm512_set1_epi8(64));
  const __mmask64 bit7 = _mm512_movepi8_mask(index);
  const __mmask64 quarter[4] = {0, bit6 & ~bit7, bit7 & ~bit6, bit6 & bit7};
  const __m512i low = look_up_plane(index, table.low, quarter);
  const __m512i high = look_up_plane(index, table.high, quarter);
  const __m512i front = _mm512_unpacklo_epi8(low, high), back = _mm512_unpackhi_epi8(low, high);
  sink(0, 0, (V)_mm512_cvtph_ps(_mm512_castsi512_si256(front)));
  sink(1, 0, (V)_mm512_cvtph_ps(_mm512_extracti64x4_epi64(front, 1)));
  sink(2, 0, (V)_mm512_cvtph_ps(_mm512_castsi512_si256(back)));
  sink(3, 0, (V)_mm512_cvtph_ps(_mm512_extracti64x4_epi64(back, 1)));
}

}  // namespace
}  // namespace pocketlens

#endif
