// linear for a few rows: straight from the packed panel, every weight decoded once in a register
// and multiplied into all rows, whose sums stand in registers too.
#ifndef POCKETLENS_KERNELS_LINEAR_ROWS_INL_H
#define POCKETLENS_KERNELS_LINEAR_ROWS_INL_H

#include "kernels/activate-inl.h"
#include "kernels/decode-inl.h"
#include "kernels/linear_ways-inl.h"

namespace pocketlens {
namespace {

constexpr int kPrefetchBytes = 5120;
// Independent sums of each row, so that one addition need not wait for the last: a power of 2.
constexpr int chains_of(int sums) {
  return kSmallCode ? 1 : sums == 1 ? 8 : sums <= 3 ? 4 : sums <= 6 ? 2 : 1;
}

template <int kRows, int kPanels>
struct RowSums {
  static constexpr int kRowChains = chains_of(kRows * kPanels * kVectors);
  V sum[kRows][kRowChains][kPanels][kVectors] = {};

  // x: the rows' inputs k = 0, stride floats apart.
  POCKETLENS_INLINE void add(int k, int vector, const V (&weights)[kPanels], const float* x,
                             size_t stride) {
    POCKETLENS_UNROLL
    for (int row = 0; row < kRows; ++row) {
      const V input = splat(x[(size_t)row * stride + (size_t)k]);
      POCKETLENS_UNROLL
      for (int panel = 0; panel < kPanels; ++panel) {
        V& chain = sum[row][k % kRowChains][panel][vector];
        chain = multiply_add(weights[panel], input, chain);
      }
    }
  }
};

// Some rows of a linear, one or two panels.
struct RowsJob {
  const Weights& weights;
  int32_t panel;
  const float* x;
};

// The packed rows of kInputs inputs that are whole; returns how many inputs that was.
// look_up(row of the first panel, sink(k, vector, weights of all panels)).
template <int kInputs, int kRows, int kPanels, class LookUp>
POCKETLENS_INLINE int32_t add_packed(const RowsJob& job, RowSums<kRows, kPanels>& out,
                                     LookUp look_up) {
  const int32_t depth = job.weights.depth;
  const size_t stride = (size_t)depth, next = (kPanels - 1) * job.weights.panel_bytes;
  const uint8_t* packed = panel_at(job.weights, job.panel);
  const float* x = job.x;
  RowSums<kRows, kPanels> sums;
  int32_t k = 0;
  for (; k + kInputs <= depth; k += kInputs, packed += kRowBytes, x += kInputs) {
    __builtin_prefetch(packed + kPrefetchBytes);
    if constexpr (kPanels > 1) __builtin_prefetch(packed + next + kPrefetchBytes);
    look_up(packed, [&](int i, int vector, const V(&weights)[kPanels])
                        POCKETLENS_SINK { sums.add(i, vector, weights, x, stride); });
  }
  out = sums;
  return k;
}

template <int kBits, int kRows, int kPanels>
int32_t add_small(const RowsJob& job, RowSums<kRows, kPanels>& sums) {
  const Weights& w = job.weights;
  const SmallTable table = load_small_table(palette_of(w, job.panel * kLanes), kBits);
  if constexpr (kPanels == 1) {
    return add_packed<32 / kBits>(job, sums, [&](const uint8_t* packed, auto sink) POCKETLENS_SINK {
      look_up_small<kBits>(packed, table, [&](int k, int vector, V v) POCKETLENS_SINK {
        const V weights[1] = {v};
        sink(k, vector, weights);
      });
    });
  } else {
#if defined(__AVX512F__)
    const SmallTable second = load_small_table(palette_of(w, (job.panel + 1) * kLanes), kBits);
    const size_t next = w.panel_bytes;
    return add_packed<32 / kBits>(job, sums, [&](const uint8_t* packed, auto sink) POCKETLENS_SINK {
      look_up_pair<kBits>(packed, packed + next, table, second, sink);
    });
#endif
  }
}

template <int kRows>
int32_t add_bytes(const RowsJob& job, RowSums<kRows, 1>& sums) {
  const ByteTable table = load_byte_table(palette_of(job.weights, job.panel * kLanes));
  return add_packed<4>(job, sums, [&](const uint8_t* packed, auto sink) POCKETLENS_SINK {
    look_up_byte(packed, table, [&](int k, int vector, V v) POCKETLENS_SINK {
      const V weights[1] = {v};
      sink(k, vector, weights);
    });
  });
}

// Any encoding, any palettes: decoded aside, some inputs at a time, from input `begin` on.
template <int kRows, int kPanels>
void add_decoded(const RowsJob& job, int32_t begin, RowSums<kRows, kPanels>& sums) {
  constexpr int32_t kPart = 64;
  constexpr int kFloats = kPanels * kLanes;
  alignas(64) float part[kPart * kFloats];
  const int32_t depth = job.weights.depth;
  for (int32_t k = begin; k < depth; k += kPart) {
    const int32_t end = least(k + kPart, depth);
    for (int panel = 0; panel < kPanels; ++panel) {
      decode(job.weights, job.panel + panel, k, end, part + panel * kLanes, kFloats);
    }
    for (int32_t i = 0; i < end - k; ++i) {
      for (int vector = 0; vector < kVectors; ++vector) {
        V weights[kPanels];
        for (int panel = 0; panel < kPanels; ++panel) {
          weights[panel] = load(part + i * kFloats + panel * kLanes + vector * kWidth);
        }
        sums.add(0, vector, weights, job.x + k + i, (size_t)depth);
      }
    }
  }
}

template <class Value, int kRows>
void add_values(const RowsJob& job, RowSums<kRows, 1>& out) {
  constexpr int kChains = RowSums<kRows, 1>::kRowChains;
  const Value* from = reinterpret_cast<const Value*>(panel_at(job.weights, job.panel));
  RowSums<kRows, 1> sums;
  const int32_t depth = job.weights.depth;
  const float* x = job.x;
  const auto add = [&](int i) POCKETLENS_SINK {
    for (int vector = 0; vector < kVectors; ++vector) {
      V weights[1];
      if constexpr (sizeof(Value) == sizeof(uint16_t)) {
        weights[0] = load_half(from + vector * kWidth);
      } else {
        weights[0] = load(from + vector * kWidth);
      }
      sums.add(i, vector, weights, x + 0, (size_t)depth);
    }
  };
  int32_t k = 0;
  for (; k + kChains <= depth; k += kChains, x += kChains) {
    POCKETLENS_UNROLL
    for (int i = 0; i < kChains; ++i, from += kLanes) {
      __builtin_prefetch(reinterpret_cast<const uint8_t*>(from) + kPrefetchBytes);
      add(i);
    }
  }
  for (; k < depth; ++k, ++x, from += kLanes) add(0);
  out = sums;
}

// Whether the panels from `panel` on may be taken together.
template <int kPanels>
bool is_packed_small(const Weights& w, int32_t panel) {
  const int32_t bits = index_bits(w.encoding);
  if (bits == 0 || bits == 8) return false;
  for (int32_t i = panel; i < panel + kPanels; ++i) {
    if (palette_end(w, i, 0) < kLanes) return false;
  }
  return true;
}

template <int kRows, int kPanels>
void add_panels(const RowsJob& job, RowSums<kRows, kPanels>& sums) {
  const Weights& w = job.weights;
  int32_t done = 0;
  if constexpr (kPanels == 1) {
    if (w.encoding == Encoding::kFloat) return add_values<float>(job, sums);
    if (w.encoding == Encoding::kHalf) return add_values<uint16_t>(job, sums);
    const bool whole = palette_end(w, job.panel, 0) == kLanes;
    if (whole && w.encoding == Encoding::kIndex8) done = add_bytes(job, sums);
  }
  if (is_packed_small<kPanels>(w, job.panel)) {
    if (w.encoding == Encoding::kIndex4) done = add_small<4>(job, sums);
    if constexpr (!kSmallCode) {
      if (w.encoding == Encoding::kIndex2) done = add_small<2>(job, sums);
      if (w.encoding == Encoding::kIndex1) done = add_small<1>(job, sums);
    }
  }
  if (done < w.depth) add_decoded(job, done, sums);
}

void finish_panel(const Linear& linear, int32_t panel, int32_t row, const V (&total)[kVectors]) {
  const Weights& w = linear.weights;
  const Range clip = clip_of(linear.activation);
  const int32_t lanes = least(kLanes, w.outputs - panel * kLanes);
  float results[kLanes];
  for (int vector = 0; vector < kVectors; ++vector) {
    const V biased = total[vector] + load(linear.bias + panel * kLanes + vector * kWidth);
    store(results + vector * kWidth, clamp(biased, splat(clip.low), splat(clip.high)));
  }
  if (!is_clip(linear.activation)) activate(results, results, kLanes, linear.activation);
  float* out = linear.output + (size_t)row * (size_t)w.outputs + panel * kLanes;
  memcpy(out, results, (size_t)lanes * sizeof(float));
}

// Rows [first, first + kRows) of kPanels panels.
template <int kRows, int kPanels>
void multiply_rows(const Linear& linear, int32_t panel, int32_t first) {
  const Weights& w = linear.weights;
  const RowsJob job = {w, panel, linear.input + (size_t)first * (size_t)w.depth};
  RowSums<kRows, kPanels> sums;
  add_panels(job, sums);
  for (int row = 0; row < kRows; ++row) {
    for (int i = 0; i < kPanels; ++i) {
      V total[kVectors];
      for (int vector = 0; vector < kVectors; ++vector) {
        total[vector] = sums.sum[row][0][i][vector];
        for (int chain = 1; chain < RowSums<kRows, kPanels>::kRowChains; ++chain) {
          total[vector] += sums.sum[row][chain][i][vector];
        }
      }
      finish_panel(linear, panel + i, first + row, total);
    }
  }
}

typedef void (*RowsKernel)(const Linear&, int32_t panel, int32_t first);

template <int kPanels, int kRows = kRowsAtOnce>
RowsKernel rows_kernel(int32_t rows) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return rows_kernel<kPanels, kRows - 1>(rows);
  }
  return multiply_rows<kRows, kPanels>;
}

// Some panels, up to few_rows() rows: shared out evenly, 13 rows are 7 and 6.
void multiply_few(const Linear& linear, int32_t panel, int32_t panels) {
  const int32_t count = ceil_div(linear.batch, kRowsAtOnce);
  const int32_t small = linear.batch / count, large = linear.batch % count;
  const bool together =
      panels == kPanelsAtOnce && is_packed_small<kPanelsAtOnce>(linear.weights, panel);
  for (int32_t i = 0, first = 0; i < count; ++i) {
    const int32_t rows = i < large ? small + 1 : small;
    if (together) {
      rows_kernel<kPanelsAtOnce>(rows)(linear, panel, first);
    } else {
      for (int32_t p = panel; p < panel + panels; ++p) rows_kernel<1>(rows)(linear, p, first);
    }
    first += rows;
  }
}

}  // namespace
}  // namespace pocketlens

#endif
