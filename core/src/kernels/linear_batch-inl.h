// linear of many rows: through the micro-kernel, a row of the batch in the place of a pixel.
#ifndef POCKETLENS_KERNELS_LINEAR_BATCH_INL_H
#define POCKETLENS_KERNELS_LINEAR_BATCH_INL_H

#include "kernels/activate-inl.h"
#include "kernels/decode_words-inl.h"
#include "kernels/tile-inl.h"

namespace pocketlens {
namespace {

// Inputs whose weights are decoded at one time: 24 KB, so that the first cache holds them.
constexpr int32_t kLinearSlice = 384 / kMaxPanels * kWordInputs;
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
// end, for the last panel may be narrower than its 16 lanes; then, where inputs are rounded, those
// of the slice.
constexpr size_t kSliceWords = kLinearSlice / kWordInputs;
constexpr size_t kLinearWeightFloats = kSliceWords * kMaxPanels * kLanes;

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

// Inputs [begin, end) of the rows of a block, as words.
struct BatchInputs {
  const float* words;
  size_t row;  // words from row to row
};

BatchInputs batch_inputs(const Linear& linear, const BatchBlock& block, int32_t begin, int32_t end,
                         float* room) {
  const size_t depth = (size_t)linear.weights.depth;
  const float* rows = linear.input + (size_t)block.first_row * depth + begin;
#if defined(POCKETLENS_BF16)
  for (int32_t row = 0; row < block.rows; ++row) {
    uint16_t* to = reinterpret_cast<uint16_t*>(room + (size_t)row * kSliceWords);
    round_to_bf16(rows + (size_t)row * depth, to, (size_t)(end - begin));
    if ((end - begin) % kWordInputs) to[end - begin] = 0;
  }
  return {room, kSliceWords};
#else
  (void)end, (void)room;
  return {rows, depth};
#endif
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
      decode_words(w, block.first_panel + panel, begin, end, weights + panel * kLanes, width);
    }
    const BatchInputs inputs =
        batch_inputs(linear, block, begin, end, sums + (size_t)block.rows * width);
    const Runs run = {1, ceil_div(end - begin, kWordInputs)};
    const Walk walk = {1, 1, run, run, 0, 0, 0};
    Tile tile;
    tile.input = inputs.words;
    tile.pixel_step = inputs.row;
    tile.weights = weights;
    tile.output = sums;
    tile.out_pixel = width;
    tile.out_panel = kLanes;
    tile.start = begin == 0 ? linear.bias + block.first_panel * kLanes : sums;
    tile.start_pixel = begin == 0 ? 0 : width;
    tile.start_panel = kLanes;
    tile.residual = nullptr;
    tile.rounded = false;
    tile.low = last ? clip.low : -__builtin_inff();
    tile.high = last ? clip.high : __builtin_inff();
    run_row(walk, tile, block.panels, block.rows);
  }
  copy_results(linear, block, sums);
}

size_t batch_items(const Linear& linear) {
  const BatchTiling t = batch_tiling(linear);
  return (size_t)t.panel_blocks * (size_t)t.row_tiles;
}

size_t batch_scratch_bytes(const Linear& linear) {
  const size_t rows = (size_t)batch_tiling(linear).rows_a_tile;
  const size_t inputs = kWordInputs > 1 ? rows * kSliceWords : 0;
  return (kLinearWeightFloats + rows * kMaxPanels * kLanes + inputs) * sizeof(float);
}

void run_batch(const Linear& linear, size_t begin, size_t end, void* scratch) {
  for (size_t item = begin; item < end; ++item) {
    const BatchBlock block = batch_block(linear, batch_tiling(linear), (int32_t)item);
    multiply_batch(linear, block, static_cast<float*>(scratch));
  }
}

}  // namespace
}  // namespace pocketlens

#endif
