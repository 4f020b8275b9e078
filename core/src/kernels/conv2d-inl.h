// conv2d: panels decoded to a scratch that the cache holds, then the micro-kernel over the picture.
//
// A work item is a block of panels times a tile of pixels. Consecutive items of one block share one
// decoding; tiles are large enough that decoding anew for each costs a few percent at most.
#ifndef POCKETLENS_KERNELS_CONV2D_INL_H
#define POCKETLENS_KERNELS_CONV2D_INL_H

#include "kernels/activate-inl.h"
#include "kernels/conv_panels-inl.h"
#include "kernels/tile-inl.h"
#include "kernels/winograd-inl.h"

namespace pocketlens {
namespace {

// How the pixels of a conv2d are cut into tiles.
struct Tiling {
  int32_t rows, row_pixels;  // a picture without gaps between rows is one long row
  int32_t images_a_tile, rows_a_tile, pixels_a_tile;
  int32_t image_tiles, row_tiles, pixel_tiles;
};

constexpr int32_t kTilePixelsGoal = 384;
constexpr int32_t kMaxTiles = 16;
// A conv2d of few panel blocks is cut into more tiles, so that two or four threads have work.
constexpr int32_t kFewItems = 8, kFewestTilePixels = 48;

bool is_one_row(const Conv2d& conv) {
  return conv.kernel_h == 1 && conv.kernel_w == 1 && conv.stride_h == 1 && conv.stride_w == 1 &&
         conv.in_row == (size_t)conv.out_w * conv.in_pixel;
}

Tiling tiling_of(const Conv2d& conv) {
  Tiling t;
  const int32_t pixels = conv.out_h * conv.out_w;
  const int32_t wanted =
      most(pixels / kTilePixelsGoal,
           least(ceil_div(kFewItems, panel_blocks(conv).count), pixels / kFewestTilePixels));
  const int32_t tiles = most(1, least(kMaxTiles, wanted));
  const bool one_row = is_one_row(conv);
  t.rows = one_row ? 1 : conv.out_h;
  t.row_pixels = one_row ? pixels : conv.out_w;
  t.images_a_tile = least(conv.images, most(1, kTilePixelsGoal / pixels));
  t.rows_a_tile = ceil_div(t.rows, tiles);
  t.pixels_a_tile = one_row ? ceil_div(t.row_pixels, tiles) : t.row_pixels;
  t.image_tiles = ceil_div(conv.images, t.images_a_tile);
  t.row_tiles = ceil_div(t.rows, t.rows_a_tile);
  t.pixel_tiles = ceil_div(t.row_pixels, t.pixels_a_tile);
  return t;
}

int32_t tile_count(const Tiling& t) { return t.image_tiles * t.row_tiles * t.pixel_tiles; }

// A part of a window's inputs whose weights stand in scratch: whole blocks of channels.
struct Slice {
  int32_t block, blocks;  // counted from the panel block's first
  bool first, last;
};

struct ConvRun {
  const Conv2d& conv;
  Tiling tiling;
  Range clip;
  float* weights;
};

// The walk over the channels [slice] of a panel block.
Walk walk_of(const Conv2d& conv, const PanelBlock& block, const Slice& slice) {
  const auto word_runs = [&](int32_t channels) {
    const Runs runs = runs_of(conv, channels);
    return Runs{runs.count, words_of(runs.length)};
  };
  const int32_t left = block.channels - (slice.block + slice.blocks - 1) * kLanes;
  return {slice.blocks,
          conv.kernel_h,
          word_runs(kLanes),
          word_runs(least(left, kLanes)),
          conv.in_block / kWordInputs,
          (size_t)conv.dilation_h * conv.in_row / kWordInputs,
          (size_t)conv.dilation_w * conv.in_pixel / kWordInputs};
}

struct Segment {
  int32_t image, row, pixel, pixels;
};

void run_segment(const ConvRun& run, const PanelBlock& block, const Slice& slice, const Walk& walk,
                 const Segment& at) {
  const Conv2d& conv = run.conv;
  const size_t plane = (size_t)conv.out_h * (size_t)conv.out_w * kLanes;
  const size_t place = (size_t)at.image * conv.out_image + (size_t)block.first_panel * plane +
                       ((size_t)at.row * (size_t)run.tiling.row_pixels + (size_t)at.pixel) * kLanes;
  Tile tile;
  const size_t first = (size_t)at.image * conv.in_image +
                       (size_t)(block.first_channel / kLanes + slice.block) * conv.in_block +
                       (size_t)(at.row * conv.stride_h) * conv.in_row +
                       (size_t)(at.pixel * conv.stride_w) * conv.in_pixel;
  tile.input = conv.input + first / kWordInputs;
  tile.pixel_step = (size_t)conv.stride_w * conv.in_pixel / kWordInputs;
  tile.weights = run.weights;
  const size_t out_word = conv.round_output ? kWordInputs : 1;
  tile.rounded = conv.round_output;
  tile.output = conv.output + place / out_word;
  tile.out_pixel = kLanes / out_word;
  tile.out_panel = plane / out_word;
  tile.start = slice.first ? conv.bias + block.first_panel * kLanes : tile.output;
  tile.start_pixel = slice.first ? 0 : tile.out_pixel;
  tile.start_panel = slice.first ? kLanes : tile.out_panel;
  tile.residual = slice.last && conv.residual ? conv.residual + place : nullptr;
  tile.low = slice.last ? run.clip.low : -__builtin_inff();
  tile.high = slice.last ? run.clip.high : __builtin_inff();
  run_row(walk, tile, block.panels, at.pixels);
  if (!slice.last || is_clip(conv.activation)) return;
  for (int32_t panel = 0; panel < block.panels; ++panel) {
    float* out = tile.output + (size_t)panel * plane;
    activate(out, out, (size_t)at.pixels * kLanes, conv.activation);
  }
}

void run_conv_tile(const ConvRun& run, const PanelBlock& block, const Slice& slice,
                   const Walk& walk, int32_t number) {
  const Tiling& t = run.tiling;
  const int32_t pixel = number % t.pixel_tiles * t.pixels_a_tile;
  const int32_t row = number / t.pixel_tiles % t.row_tiles * t.rows_a_tile;
  const int32_t image = number / t.pixel_tiles / t.row_tiles * t.images_a_tile;
  const int32_t pixels = least(t.pixels_a_tile, t.row_pixels - pixel);
  for (int32_t n = image; n < least(image + t.images_a_tile, run.conv.images); ++n) {
    for (int32_t y = row; y < least(row + t.rows_a_tile, t.rows); ++y) {
      run_segment(run, block, slice, walk, {n, y, pixel, pixels});
    }
  }
}

// The tiles [begin, end) of a panel block, slice by slice of its weights.
void run_panel_block(const ConvRun& run, const PanelBlocks& blocks, int32_t number, int32_t begin,
                     int32_t end) {
  const PanelBlock block = panel_block(run.conv, blocks, number);
  const int32_t channel_blocks = ceil_div(block.channels, kLanes);
  const int32_t step = blocks.expanded ? channel_blocks : slice_blocks(run.conv, block.panels);
  for (int32_t b = 0; b < channel_blocks; b += step) {
    const Slice slice = {b, least(step, channel_blocks - b), b == 0, b + step >= channel_blocks};
    if (blocks.expanded) {
      decode_expanded(run.conv, block, run.weights);
    } else {
      decode_slice(run.conv, block, slice.block, slice.blocks, run.weights);
    }
    const Walk walk = walk_of(run.conv, block, slice);
    for (int32_t tile = begin; tile < end; ++tile) run_conv_tile(run, block, slice, walk, tile);
  }
}

// Whether sums need never be kept as floats: all inputs at once, nothing beyond a clip after them.
[[maybe_unused]] bool has_one_slice(const Conv2d& conv) {
  const PanelBlocks blocks = panel_blocks(conv);
  for (int32_t i = 0; i < blocks.count; ++i) {
    const PanelBlock block = panel_block(conv, blocks, i);
    const bool whole = slice_blocks(conv, block.panels) * kLanes >= block.channels;
    if (!whole && !blocks.expanded) return false;
  }
  return is_clip(conv.activation);
}

size_t conv2d_items(const Conv2d& conv) {
  if (is_winograd(conv)) return winograd_items(conv);
  return (size_t)panel_blocks(conv).count * (size_t)tile_count(tiling_of(conv));
}

size_t conv2d_scratch_bytes(const Conv2d& conv) {
  if (is_winograd(conv)) return winograd_scratch_bytes(conv);
  return panel_scratch_floats(conv, panel_blocks(conv)) * sizeof(float);
}

void conv2d_run(const Conv2d& conv, size_t begin, size_t end, void* scratch) {
  if (is_winograd(conv)) return winograd_run(conv, begin, end, scratch);
  const PanelBlocks blocks = panel_blocks(conv);
  const ConvRun run = {conv, tiling_of(conv), clip_of(conv.activation),
                       static_cast<float*>(scratch)};
  const size_t tiles = (size_t)tile_count(run.tiling);
  while (begin < end) {
    const size_t block = begin / tiles, first = begin % tiles;
    const size_t stop = first + (end - begin) < tiles ? first + (end - begin) : tiles;
    run_panel_block(run, blocks, (int32_t)block, (int32_t)first, (int32_t)stop);
    begin += stop - first;
  }
}

}  // namespace
}  // namespace pocketlens

#endif
