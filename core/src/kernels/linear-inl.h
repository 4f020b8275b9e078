// linear: one row straight from the packed indices in registers; more rows through the
// micro-kernel, a row of the batch in the place of a pixel.
#ifndef POCKETLENS_KERNELS_LINEAR_INL_H
#define POCKETLENS_KERNELS_LINEAR_INL_H

#include "kernels/activate-inl.h"
#include "kernels/decode-inl.h"
#include "kernels/tile-inl.h"

namespace pocketlens {
namespace {

// Independent sums, so that one addition need not wait for the last.
constexpr int kChains = kVectors == 1 ? 8 : kVectors == 2 ? 4 : 2;
constexpr int kPrefetchBytes = 2048;
// Inputs whose weights are decoded at one time: 24 KB, so that the first cache holds them.
constexpr int32_t kLinearSlice = 384 / kMaxPanels;
constexpr int32_t kLinearRowsGoal = 96;  // rows of a batch in an item

typedef V Chains[kChains][kVectors];

POCKETLENS_INLINE void add_weights(Chains& sum, int k, int vector, V weights, float x) {
  V& chain = sum[k % kChains][vector];
  chain = multiply_add(weights, splat(x), chain);
}

// The packed rows of kInputs inputs that are whole; returns how many inputs that was.
template <int kInputs, class LookUp>
POCKETLENS_INLINE int32_t multiply_rows(const uint8_t* row, int32_t depth, const float* x,
                                        Chains& sum, LookUp look_up) {
  int32_t k = 0;
  for (; k + kInputs <= depth; k += kInputs, row += kRowBytes, x += kInputs) {
    __builtin_prefetch(row + kPrefetchBytes);
    look_up(row,
            [&](int i, int vector, V v) POCKETLENS_SINK { add_weights(sum, i, vector, v, x[i]); });
  }
  return k;
}

template <int kBits>
int32_t multiply_small(const uint8_t* panel, const uint16_t* palette, int32_t depth, const float* x,
                       Chains& out) {
  const SmallTable table = load_small_table(palette, kBits);
  Chains sum = {};
  const int32_t done = multiply_rows<32 / kBits>(
      panel, depth, x, sum, [&](const uint8_t* row, auto sink) POCKETLENS_SINK {
        look_up_small<kBits>(row, table, sink);
      });
  memcpy(&out, &sum, sizeof sum);
  return done;
}

int32_t multiply_byte(const uint8_t* panel, const uint16_t* palette, int32_t depth, const float* x,
                      Chains& out) {
  const ByteTable table = load_byte_table(palette);
  Chains sum = {};
  const int32_t done = multiply_rows<4>(panel, depth, x, sum,
                                        [&](const uint8_t* row, auto sink)
                                            POCKETLENS_SINK { look_up_byte(row, table, sink); });
  memcpy(&out, &sum, sizeof sum);
  return done;
}

// Any encoding, any palettes: decoded aside, some inputs at a time.
void multiply_any(const Weights& w, int32_t panel, int32_t begin, const float* x, Chains& sum) {
  constexpr int32_t kPart = 64;
  alignas(64) float part[kPart * kLanes];
  for (int32_t k = begin; k < w.depth; k += kPart) {
    const int32_t end = least(k + kPart, w.depth);
    decode(w, panel, k, end, part, kLanes);
    for (int32_t i = 0; i < end - k; ++i) {
      for (int vector = 0; vector < kVectors; ++vector) {
        add_weights(sum, 0, vector, load(part + i * kLanes + vector * kWidth), x[k + i]);
      }
    }
  }
}

int32_t multiply_values(const Weights& w, int32_t panel, const float* x, Chains& out) {
  Chains sum = {};
  int32_t k = 0;
  const bool half = w.encoding == Encoding::kHalf;
  const uint8_t* row = panel_at(w, panel);
  const size_t row_bytes = kLanes * (half ? sizeof(uint16_t) : sizeof(float));
  for (; k + kChains <= w.depth; k += kChains) {
    POCKETLENS_UNROLL
    for (int i = 0; i < kChains; ++i, row += row_bytes) {
      __builtin_prefetch(row + kPrefetchBytes);
      for (int vector = 0; vector < kVectors; ++vector) {
        const V v = half ? load_half(reinterpret_cast<const uint16_t*>(row) + vector * kWidth)
                         : load(reinterpret_cast<const float*>(row) + vector * kWidth);
        add_weights(sum, i, vector, v, x[k + i]);
      }
    }
  }
  memcpy(&out, &sum, sizeof sum);
  return k;
}

int32_t multiply_whole(const Weights& w, int32_t panel, const float* x, Chains& sum) {
  if (index_bits(w.encoding) == 0) return multiply_values(w, panel, x, sum);
  if (palette_end(w, panel, 0) < kLanes) return 0;
  const uint16_t* palette = palette_of(w, panel * kLanes);
  if (kSmallCode && w.encoding != Encoding::kIndex4 && w.encoding != Encoding::kIndex8) return 0;
  switch (w.encoding) {
    case Encoding::kIndex1:
      return multiply_small<1>(panel_at(w, panel), palette, w.depth, x, sum);
    case Encoding::kIndex2:
      return multiply_small<2>(panel_at(w, panel), palette, w.depth, x, sum);
    case Encoding::kIndex4:
      return multiply_small<4>(panel_at(w, panel), palette, w.depth, x, sum);
    default:
      return multiply_byte(panel_at(w, panel), palette, w.depth, x, sum);
  }
}

// One panel, one row.
void multiply_panel(const Linear& linear, int32_t panel) {
  const Weights& w = linear.weights;
  Chains sum = {};
  const int32_t done = multiply_whole(w, panel, linear.input, sum);
  if (done < w.depth) multiply_any(w, panel, done, linear.input, sum);
  const Range clip = clip_of(linear.activation);
  float results[kLanes];
  for (int vector = 0; vector < kVectors; ++vector) {
    V total = sum[0][vector];
    for (int i = 1; i < kChains; ++i) total += sum[i][vector];
    total += load(linear.bias + panel * kLanes + vector * kWidth);
    store(results + vector * kWidth, clamp(total, splat(clip.low), splat(clip.high)));
  }
  if (!is_clip(linear.activation)) activate(results, results, kLanes, linear.activation);
  const int32_t lanes = least(kLanes, w.outputs - panel * kLanes);
  memcpy(linear.output + panel * kLanes, results, (size_t)lanes * sizeof(float));
}

// The batch of more than one row: a block of panels times a tile of rows.
struct BatchTiling {
  int32_t panel_blocks, row_tiles, rows_a_tile;
};

BatchTiling batch_tiling(const Linear& linear) {
  const int32_t tiles = most(1, linear.batch / kLinearRowsGoal);
  const int32_t rows = ceil_div(linear.batch, tiles);
  return {ceil_div(panel_count(linear.weights), kMaxPanels), ceil_div(linear.batch, rows), rows};
}

struct BatchBlock {
  int32_t first_panel, panels;
  int32_t first_row, rows;
};

BatchBlock batch_block(const Linear& linear, const BatchTiling& t, int32_t item) {
  const int32_t block = item / t.row_tiles, row = item % t.row_tiles * t.rows_a_tile;
  const int32_t panels = panel_count(linear.weights);
  const int32_t begin = (int32_t)((int64_t)panels * block / t.panel_blocks);
  const int32_t end = (int32_t)((int64_t)panels * (block + 1) / t.panel_blocks);
  return {begin, end - begin, row, least(t.rows_a_tile, linear.batch - row)};
}

// Scratch: the weights of a slice, then the sums [rows][panels * 16], which are copied out at the
// end, for the last panel may be narrower than its 16 lanes.
constexpr size_t kLinearWeightFloats = (size_t)kLinearSlice * kMaxPanels * kLanes;

void copy_results(const Linear& linear, const BatchBlock& block, float* sums) {
  const size_t width = (size_t)block.panels * kLanes;
  const size_t outputs = (size_t)linear.weights.outputs;
  const size_t first = (size_t)block.first_panel * kLanes;
  const size_t columns = outputs - first < width ? outputs - first : width;
  if (!is_clip(linear.activation)) {
    activate(sums, sums, (size_t)block.rows * width, linear.activation);
  }
  for (int32_t row = 0; row < block.rows; ++row) {
    memcpy(linear.output + (size_t)(block.first_row + row) * outputs + first,
           sums + (size_t)row * width, columns * sizeof(float));
  }
}

void multiply_batch(const Linear& linear, const BatchBlock& block, float* weights) {
  const Weights& w = linear.weights;
  const size_t width = (size_t)block.panels * kLanes;
  const Range clip = clip_of(linear.activation);
  float* sums = weights + kLinearWeightFloats;
  for (int32_t begin = 0; begin < w.depth; begin += kLinearSlice) {
    const int32_t end = least(begin + kLinearSlice, w.depth);
    const bool last = end == w.depth;
    for (int32_t panel = 0; panel < block.panels; ++panel) {
      decode(w, block.first_panel + panel, begin, end, weights + panel * kLanes, width);
    }
    const Walk walk = {1, 1, {1, end - begin}, {1, end - begin}, 0, 0, 0};
    Tile tile;
    tile.input = linear.input + (size_t)block.first_row * (size_t)w.depth + begin;
    tile.pixel_step = (size_t)w.depth;
    tile.weights = weights;
    tile.output = sums;
    tile.out_pixel = width;
    tile.out_panel = kLanes;
    tile.start = begin == 0 ? linear.bias + block.first_panel * kLanes : sums;
    tile.start_pixel = begin == 0 ? 0 : width;
    tile.start_panel = kLanes;
    tile.residual = nullptr;
    tile.low = last ? clip.low : -__builtin_inff();
    tile.high = last ? clip.high : __builtin_inff();
    run_row(walk, tile, block.panels, block.rows);
  }
  copy_results(linear, block, sums);
}

size_t linear_items(const Linear& linear) {
  if (linear.batch == 1) return (size_t)panel_count(linear.weights);
  const BatchTiling t = batch_tiling(linear);
  return (size_t)t.panel_blocks * (size_t)t.row_tiles;
}

size_t linear_scratch_bytes(const Linear& linear) {
  if (linear.batch == 1) return 0;
  const size_t rows = (size_t)batch_tiling(linear).rows_a_tile;
  return (kLinearWeightFloats + rows * kMaxPanels * kLanes) * sizeof(float);
}

void linear_run(const Linear& linear, size_t begin, size_t end, void* scratch) {
  for (size_t item = begin; item < end; ++item) {
    if (linear.batch == 1) {
      multiply_panel(linear, (int32_t)item);
    } else {
      const BatchBlock block = batch_block(linear, batch_tiling(linear), (int32_t)item);
      multiply_batch(linear, block, static_cast<float*>(scratch));
    }
  }
}

}  // namespace
}  // namespace pocketlens

#endif
