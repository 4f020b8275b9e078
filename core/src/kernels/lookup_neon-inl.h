// Palette look-up with NEON (AArch64).
//
// The low and the high bytes of half-precision entries are two tables for TBL; what comes out is
// zipped to halves and widened. LD4 brings byte b of all 16 words of a packed row together.
#ifndef POCKETLENS_KERNELS_LOOKUP_NEON_INL_H
#define POCKETLENS_KERNELS_LOOKUP_NEON_INL_H

#include <arm_neon.h>

#include "kernels/panel.h"
#include "kernels/vector-inl.h"

namespace pocketlens {
namespace {

POCKETLENS_INLINE V load_half(const uint16_t* p) {
  return (V)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

// 16 halves as low and high bytes, to four vectors.
template <class Sink>
POCKETLENS_INLINE void widen(int k, uint8x16_t low, uint8x16_t high, Sink sink) {
  const float16x8_t front = vreinterpretq_f16_u8(vzip1q_u8(low, high));
  const float16x8_t back = vreinterpretq_f16_u8(vzip2q_u8(low, high));
  sink(k, 0, (V)vcvt_f32_f16(vget_low_f16(front)));
  sink(k, 1, (V)vcvt_high_f32_f16(front));
  sink(k, 2, (V)vcvt_f32_f16(vget_low_f16(back)));
  sink(k, 3, (V)vcvt_high_f32_f16(back));
}

struct SmallTable {
  uint8x16_t low, high;
};

POCKETLENS_INLINE SmallTable load_small_table(const uint16_t* palette, int bits) {
  uint16_t entries[16] = {};
  for (int i = 0; i < 1 << bits; ++i) entries[i] = palette[i];
  const uint8x16x2_t planes = vld2q_u8(reinterpret_cast<const uint8_t*>(entries));
  return {planes.val[0], planes.val[1]};
}

// Hands sink(k, vector, V) the weights of one packed row of 64 bytes.
template <int kBits, class Sink>
POCKETLENS_INLINE void look_up_small(const uint8_t* row, const SmallTable& table, Sink sink) {
  const uint8x16x4_t bytes = vld4q_u8(row);
  const uint8x16_t mask = vdupq_n_u8((1 << kBits) - 1);
  POCKETLENS_UNROLL
  for (int k = 0; k < 32 / kBits; ++k) {
    const int8x16_t right = vdupq_n_s8((int8_t)(-(k * kBits % 8)));
    const uint8x16_t index = vandq_u8(vshlq_u8(bytes.val[k * kBits / 8], right), mask);
    widen(k, vqtbl1q_u8(table.low, index), vqtbl1q_u8(table.high, index), sink);
  }
}

struct ByteTable {
  uint8x16x4_t low[4], high[4];
};

POCKETLENS_INLINE ByteTable load_byte_table(const uint16_t* palette) {
  ByteTable table;
  for (int i = 0; i < 16; ++i) {
    const uint8x16x2_t planes = vld2q_u8(reinterpret_cast<const uint8_t*>(palette + 16 * i));
    table.low[i / 4].val[i % 4] = planes.val[0];
    table.high[i / 4].val[i % 4] = planes.val[1];
  }
  return table;
}

// Where the index of input k (0..3) and output lane stands in a row.
POCKETLENS_INLINE int byte_place(int k, int lane) { return k * kLanes + lane; }

// TBX leaves alone what its index is too large for, so four of them cover 256 entries.
POCKETLENS_INLINE uint8x16_t look_up_plane(uint8x16_t index, const uint8x16x4_t plane[4]) {
  uint8x16_t bytes = vqtbl4q_u8(plane[0], index);
  POCKETLENS_UNROLL
  for (int i = 1; i < 4; ++i) {
    bytes = vqtbx4q_u8(bytes, plane[i], vsubq_u8(index, vdupq_n_u8((uint8_t)(64 * i))));
  }
  return bytes;
}

template <class Sink>
POCKETLENS_INLINE void look_up_byte(const uint8_t* row, const ByteTable& table, Sink sink) {
  POCKETLENS_UNROLL
  for (int k = 0; k < 4; ++k) {
    const uint8x16_t index = vld1q_u8(row + kLanes * k);
    widen(k, look_up_plane(index, table.low), look_up_plane(index, table.high), sink);
  }
}

}  // namespace
}  // namespace pocketlens

#endif
