// linear: one row, or a few, straight from the packed indices in registers; more rows through the
// micro-kernel, a row of the batch in the place of a pixel.
#ifndef POCKETLENS_KERNELS_LINEAR_INL_H
#define POCKETLENS_KERNELS_LINEAR_INL_H

#include "kernels/activate-inl.h"
#include "kernels/decode-inl.h"
#include "kernels/linear_rows-inl.h"
#include "kernels/tile-inl.h"

namespace pocketlens {
namespace {

// Inputs whose weights are decoded at one time: 24 KB, so that the first cache holds them.
constexpr int32_t kLinearSlice = 384 / kMaxPanels;
constexpr int32_t kLinearRowsGoal = 96;  // rows of a batch in an item

// The batch of many rows: a block of panels times a tile of rows.
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
  if (linear.batch <= few_rows(linear.weights)) {
    return (size_t)ceil_div(panel_count(linear.weights), kPanelsAtOnce);
  }
  const BatchTiling t = batch_tiling(linear);
  return (size_t)t.panel_blocks * (size_t)t.row_tiles;
}

size_t linear_scratch_bytes(const Linear& linear) {
  if (linear.batch <= few_rows(linear.weights)) return 0;
  const size_t rows = (size_t)batch_tiling(linear).rows_a_tile;
  return (kLinearWeightFloats + rows * kMaxPanels * kLanes) * sizeof(float);
}

void linear_run(const Linear& linear, size_t begin, size_t end, void* scratch) {
  for (size_t item = begin; item < end; ++item) {
    if (linear.batch <= few_rows(linear.weights)) {
      const int32_t panel = (int32_t)item * kPanelsAtOnce;
      const int32_t left = panel_count(linear.weights) - panel;
      multiply_few(linear, panel, least(left, kPanelsAtOnce));
    } else {
      const BatchBlock block = batch_block(linear, batch_tiling(linear), (int32_t)item);
      multiply_batch(linear, block, static_cast<float*>(scratch));
    }
  }
}

}  // namespace
}  // namespace pocketlens

#endif
