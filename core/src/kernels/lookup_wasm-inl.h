// Palette look-up with WebAssembly's 128-bit vectors.
//
// Up to 4 bits: a half-precision number as a float has a lowest byte of 0, so 16 entries are three
// registers of bytes, and swizzle looks 16 indices up in each; what it finds is joined to floats.
// 8 bits: one by one from a table in memory; there is no permute of 256 bytes.
#ifndef POCKETLENS_KERNELS_LOOKUP_WASM_INL_H
#define POCKETLENS_KERNELS_LOOKUP_WASM_INL_H

#include <wasm_simd128.h>

#include "kernels/panel.h"
#include "kernels/vector-inl.h"

namespace pocketlens {
namespace {

// Four halves in the low 16 bits of four words. The exponent is set right by a product, which does
// subnormal numbers too; infinities, which no palette has, stay finite.
POCKETLENS_INLINE V halves_to_floats(v128_t halves) {
  const v128_t sign = wasm_i32x4_shl(wasm_v128_and(halves, wasm_i32x4_const_splat(0x8000)), 16);
  const v128_t rest = wasm_i32x4_shl(wasm_v128_and(halves, wasm_i32x4_const_splat(0x7fff)), 13);
  const v128_t value = wasm_f32x4_mul(rest, wasm_f32x4_const_splat(0x1p112f));
  return (V)wasm_v128_or(value, sign);
}

POCKETLENS_INLINE V load_half(const uint16_t* p) {
  return halves_to_floats(wasm_u32x4_load16x4(p));
}

// Bytes 1, 2 and 3 of the entries as floats.
struct SmallTable {
  v128_t bytes[3];
};

POCKETLENS_INLINE SmallTable load_small_table(const uint16_t* palette, int bits) {
  uint8_t planes[3][16];
  for (int i = 0; i < 16; ++i) {
    const float value = half_to_float(palette[i & ((1 << bits) - 1)]);
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    for (int b = 0; b < 3; ++b) planes[b][i] = (uint8_t)(word >> (8 + 8 * b));
  }
  return {{wasm_v128_load(planes[0]), wasm_v128_load(planes[1]), wasm_v128_load(planes[2])}};
}

POCKETLENS_INLINE v128_t swizzle(v128_t table, v128_t indices) {
#if defined(__wasm_relaxed_simd__)
  return wasm_i8x16_relaxed_swizzle(table, indices);
#else
  return wasm_i8x16_swizzle(table, indices);
#endif
}

// The entries at 16 indices, each a byte below 16.
template <class Sink>
POCKETLENS_INLINE void look_up_16(v128_t indices, const SmallTable& table, int k, Sink sink) {
  const v128_t zero = wasm_i8x16_const_splat(0);
  const v128_t first = swizzle(table.bytes[0], indices);
  const v128_t second = swizzle(table.bytes[1], indices);
  const v128_t third = swizzle(table.bytes[2], indices);
#define POCKETLENS_ZIP_LOW8(a, b) \
  wasm_i8x16_shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define POCKETLENS_ZIP_HIGH8(a, b) \
  wasm_i8x16_shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define POCKETLENS_ZIP_LOW16(a, b) wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define POCKETLENS_ZIP_HIGH16(a, b) wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
  const v128_t low_front = POCKETLENS_ZIP_LOW8(zero, first);
  const v128_t low_back = POCKETLENS_ZIP_HIGH8(zero, first);
  const v128_t high_front = POCKETLENS_ZIP_LOW8(second, third);
  const v128_t high_back = POCKETLENS_ZIP_HIGH8(second, third);
  sink(k, 0, (V)POCKETLENS_ZIP_LOW16(low_front, high_front));
  sink(k, 1, (V)POCKETLENS_ZIP_HIGH16(low_front, high_front));
  sink(k, 2, (V)POCKETLENS_ZIP_LOW16(low_back, high_back));
  sink(k, 3, (V)POCKETLENS_ZIP_HIGH16(low_back, high_back));
#undef POCKETLENS_ZIP_LOW8
#undef POCKETLENS_ZIP_HIGH8
#undef POCKETLENS_ZIP_LOW16
#undef POCKETLENS_ZIP_HIGH16
}

// Hands sink(k, vector, V) the weights of one packed row of 64 bytes. A page waits for every byte
// of code: rows are not unrolled.
template <int kBits, class Sink>
POCKETLENS_INLINE void look_up_small(const uint8_t* row, const SmallTable& table, Sink sink) {
  const v128_t mask = wasm_i8x16_const_splat((1 << kBits) - 1);
#pragma clang loop unroll(disable)
  for (int k = 0; k < 32 / kBits; row += kLanes) {
    v128_t bytes = wasm_v128_load(row);
    if (kBits == 4) {
      look_up_16(wasm_v128_and(bytes, mask), table, k, sink);
      look_up_16(wasm_u8x16_shr(bytes, 4), table, k + 1, sink);
      k += 2;
      continue;
    }
#pragma clang loop unroll(disable)
    for (const int end = k + 8 / kBits; k < end; ++k, bytes = wasm_u8x16_shr(bytes, kBits)) {
      look_up_16(wasm_v128_and(bytes, mask), table, k, sink);
    }
  }
}

struct ByteTable {
  float entries[256];
};

POCKETLENS_INLINE ByteTable load_byte_table(const uint16_t* palette) {
  ByteTable table;
  for (int i = 0; i < 256; i += 4) store(table.entries + i, load_half(palette + i));
  return table;
}

// Where the index of input k (0..3) and output lane stands in a row.
POCKETLENS_INLINE int byte_place(int k, int lane) { return k * kLanes + lane; }

template <class Sink>
POCKETLENS_INLINE void look_up_byte(const uint8_t* row, const ByteTable& table, Sink sink) {
  const float* entries = table.entries;
#pragma clang loop unroll(disable)
  for (int k = 0; k < 4; ++k, row += kLanes) {
    POCKETLENS_UNROLL
    for (int i = 0; i < kVectors; ++i) {
      const uint8_t* at = row + i * kWidth;
      sink(k, i, V{entries[at[0]], entries[at[1]], entries[at[2]], entries[at[3]]});
    }
  }
}

}  // namespace
}  // namespace pocketlens

#endif
