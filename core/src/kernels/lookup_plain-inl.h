// Palette look-up one by one from a table in memory, for targets without a permute of their own.
#ifndef POCKETLENS_KERNELS_LOOKUP_PLAIN_INL_H
#define POCKETLENS_KERNELS_LOOKUP_PLAIN_INL_H

#include "kernels/panel.h"
#include "kernels/vector-inl.h"

namespace pocketlens {
namespace {

POCKETLENS_INLINE V load_half(const uint16_t* p) {
  V v;
  for (int i = 0; i < kWidth; ++i) v[i] = half_to_float(p[i]);
  return v;
}

struct SmallTable {
  float entries[16];
};

POCKETLENS_INLINE SmallTable load_small_table(const uint16_t* palette, int bits) {
  SmallTable table = {};
  for (int i = 0; i < 1 << bits; ++i) table.entries[i] = half_to_float(palette[i]);
  return table;
}

// Hands sink(k, vector, V) the weights of one packed row of 64 bytes.
template <int kBits, class Sink>
POCKETLENS_INLINE void look_up_small(const uint8_t* row, const SmallTable& table, Sink sink) {
  uint32_t words[kLanes];
  memcpy(words, row, sizeof words);
  for (int k = 0; k < 32 / kBits; ++k) {
    POCKETLENS_UNROLL
    for (int vector = 0; vector < kVectors; ++vector) {
      V v;
      POCKETLENS_UNROLL
      for (int i = 0; i < kWidth; ++i) {
        v[i] = table.entries[words[vector * kWidth + i] >> (k * kBits) & ((1u << kBits) - 1)];
      }
      sink(k, vector, v);
    }
  }
}

struct ByteTable {
  float entries[256];
};

POCKETLENS_INLINE ByteTable load_byte_table(const uint16_t* palette) {
  ByteTable table;
  for (int i = 0; i < 256; ++i) table.entries[i] = half_to_float(palette[i]);
  return table;
}

// Where the index of input k (0..3) and output lane stands in a row.
POCKETLENS_INLINE int byte_place(int k, int lane) { return k * kLanes + lane; }

template <class Sink>
POCKETLENS_INLINE void look_up_byte(const uint8_t* row, const ByteTable& table, Sink sink) {
  for (int i = 0; i < 4 * kVectors; ++i) {
    V v;
    POCKETLENS_UNROLL
    for (int j = 0; j < kWidth; ++j) v[j] = table.entries[row[i * kWidth + j]];
    sink(i / kVectors, i % kVectors, v);
  }
}

}  // namespace
}  // namespace pocketlens

#endif
