// Packed panels: packing indices, and decoding a range of inputs to floats. The look-up itself is
// the target's (lookup_*-inl.h).
#ifndef POCKETLENS_KERNELS_DECODE_INL_H
#define POCKETLENS_KERNELS_DECODE_INL_H

#include "kernels/panel.h"
#include "kernels/scalar.h"
#include "kernels/vector-inl.h"

namespace pocketlens {
namespace {

constexpr int kRowBytes = 64;  // a packed row: 16 words, whatever the bits

// Every row of 16 words becomes their first bytes, their second, third and fourth.
void split_words(uint8_t* panel, size_t bytes) {
  for (uint8_t* row = panel; row < panel + bytes; row += kRowBytes) {
    uint8_t words[kRowBytes];
    memcpy(words, row, sizeof words);
    for (int i = 0; i < kRowBytes; ++i) row[i % 4 * kLanes + i / 4] = words[i];
  }
}

[[maybe_unused]] void pack_index(Encoding encoding, const uint8_t* indices, int32_t outputs,
                                 int32_t depth, uint8_t* panel) {
  if (encoding != Encoding::kIndex8) {
    scalar::pack_index(encoding, indices, outputs, depth, panel);
    if (kByteRows) split_words(panel, panel_bytes(encoding, depth));
    return;
  }
  memset(panel, 0, panel_bytes(encoding, depth));
  for (int32_t o = 0; o < outputs; ++o) {
    const uint8_t* row = indices + (size_t)o * (size_t)depth;
    for (int32_t k = 0; k < depth; ++k) {
      panel[(size_t)(k / 4) * kRowBytes + (size_t)byte_place(k % 4, o)] = row[k];
    }
  }
}

// Which part of a panel is wanted, and where it goes.
struct DecodeJob {
  const uint8_t* panel;
  int32_t k_begin, k_end;
  int32_t lane_begin, lane_end;
  float* out;
  size_t out_stride;
};

// What is wanted of the inputs [first, first + inputs), which were decoded aside.
void copy_part(const DecodeJob& job, int32_t first, int32_t inputs, const float* all) {
  const int32_t end = least(first + inputs, job.k_end);
  for (int32_t k = most(first, job.k_begin); k < end; ++k) {
    float* to = job.out + (size_t)(k - job.k_begin) * job.out_stride;
    const float* from = all + (k - first) * kLanes;
    for (int32_t lane = job.lane_begin; lane < job.lane_end; ++lane) to[lane] = from[lane];
  }
}

template <int kInputs, class LookUp>
POCKETLENS_INLINE void decode_rows(const DecodeJob& job, LookUp look_up) {
  alignas(64) float aside[kInputs * kLanes];
  const bool all_lanes = job.lane_begin == 0 && job.lane_end == kLanes;
  const uint8_t* row = job.panel + (size_t)(job.k_begin / kInputs) * kRowBytes;
  for (int32_t k0 = job.k_begin / kInputs * kInputs; k0 < job.k_end;
       k0 += kInputs, row += kRowBytes) {
    __builtin_prefetch(row + 16 * kRowBytes);
    const bool whole = all_lanes && k0 >= job.k_begin && k0 + kInputs <= job.k_end;
    float* out = whole ? job.out + (size_t)(k0 - job.k_begin) * job.out_stride : aside;
    const size_t stride = whole ? job.out_stride : kLanes;
    look_up(row, [&](int k, int vector, V v)
                     POCKETLENS_SINK { store(out + (size_t)k * stride + vector * kWidth, v); });
    if (!whole) copy_part(job, k0, kInputs, aside);
  }
}

template <int kBits>
void decode_small(const DecodeJob& job, const uint16_t* palette) {
  const SmallTable table = load_small_table(palette, kBits);
  decode_rows<32 / kBits>(job, [&](const uint8_t* row, auto sink)
                                   POCKETLENS_SINK { look_up_small<kBits>(row, table, sink); });
}

void decode_byte(const DecodeJob& job, const uint16_t* palette) {
  const ByteTable table = load_byte_table(palette);
  decode_rows<4>(
      job, [&](const uint8_t* row, auto sink) POCKETLENS_SINK { look_up_byte(row, table, sink); });
}

void decode_values(const Weights& w, const DecodeJob& job) {
  float* out = job.out;
  for (int32_t k = job.k_begin; k < job.k_end; ++k, out += job.out_stride) {
    const size_t place = (size_t)k * kLanes;
    for (int i = 0; i < kLanes; i += kWidth) {
      if (w.encoding == Encoding::kFloat) {
        store(out + i, load(reinterpret_cast<const float*>(job.panel) + place + i));
      } else {
        store(out + i, load_half(reinterpret_cast<const uint16_t*>(job.panel) + place + i));
      }
    }
  }
}

// The lanes [begin, returned) of a panel share a palette.
int32_t palette_end(const Weights& w, int32_t panel, int32_t begin) {
  const int32_t first = panel * kLanes;
  const int32_t group = (first + begin) / w.group_rows;
  const int64_t end = (int64_t)(group + 1) * w.group_rows - first;
  const bool to_the_last = first + end >= w.outputs;
  return to_the_last || end > kLanes ? kLanes : (int32_t)end;
}

void decode(const Weights& w, int32_t panel, int32_t k_begin, int32_t k_end, float* out,
            size_t out_stride) {
  DecodeJob job = {panel_at(w, panel), k_begin, k_end, 0, kLanes, out, out_stride};
  if (index_bits(w.encoding) == 0) return decode_values(w, job);
  for (; job.lane_begin < kLanes; job.lane_begin = job.lane_end) {
    job.lane_end = palette_end(w, panel, job.lane_begin);
    const uint16_t* palette = palette_of(w, panel * kLanes + job.lane_begin);
    switch (w.encoding) {
      case Encoding::kIndex1:
        decode_small<1>(job, palette);
        break;
      case Encoding::kIndex2:
        decode_small<2>(job, palette);
        break;
      case Encoding::kIndex4:
        decode_small<4>(job, palette);
        break;
      default:
        decode_byte(job, palette);
    }
  }
}

}  // namespace
}  // namespace pocketlens

#endif
