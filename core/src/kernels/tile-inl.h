// The micro-kernel under conv2d, linear and matmul: some pixels times some panels of 16 outputs,
// their sums in registers. Each weight is loaded once for all pixels, each input is broadcast from
// memory once for all outputs (Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication", 2008, with the picture itself in the place of the packed left matrix). Inputs
// and weights are counted in words (words-inl.h), which are floats but in targets of bfloat16.
#ifndef POCKETLENS_KERNELS_TILE_INL_H
#define POCKETLENS_KERNELS_TILE_INL_H

#include "kernels/panel.h"
#include "kernels/words-inl.h"

namespace pocketlens {
namespace {

// Where the inputs of a window stand: blocks of channels, in each kernel_h rows, in each some runs
// of neighbouring words.
struct Runs {
  int32_t count, length;
};

struct Walk {
  int32_t blocks, kernel_h;
  Runs full, last;  // of every block but the last, and of the last
  size_t block_step, row_step, run_step;
};

struct Tile {
  const float* input;
  size_t pixel_step;     // words from pixel to pixel
  const float* weights;  // [word][panels * 16]
  const float* start;    // the sums so far: the bias at first
  size_t start_pixel, start_panel;
  const float* residual;  // added at the end, laid out like the output; may be null
  float* output;
  size_t out_pixel, out_panel;
  float low, high;  // the result is clipped to these
  bool rounded;     // the output is, and counted, in words of it; there is no residual then
};

template <int kPixels, int kPanels>
POCKETLENS_INLINE void start_sums(const Tile& tile, V (&sum)[kPixels][kPanels * kVectors]) {
  POCKETLENS_UNROLL
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    POCKETLENS_UNROLL
    for (int column = 0; column < kPanels * kVectors; ++column) {
      sum[pixel][column] =
          load(tile.start + (size_t)pixel * tile.start_pixel +
               (size_t)(column / kVectors) * tile.start_panel + column % kVectors * kWidth);
    }
  }
}

template <int kPixels, int kPanels>
POCKETLENS_INLINE void round_sums(const Tile& tile, V (&sum)[kPixels][kPanels * kVectors]) {
  const V low = splat(tile.low), high = splat(tile.high);
  POCKETLENS_UNROLL
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    POCKETLENS_UNROLL
    for (int panel = 0; panel < kPanels; ++panel) {
      float* to = tile.output + (size_t)pixel * tile.out_pixel + (size_t)panel * tile.out_panel;
      store_rounded(to, clamp(sum[pixel][panel * kVectors], low, high));
    }
  }
}

template <int kPixels, int kPanels>
POCKETLENS_INLINE void store_sums(const Tile& tile, V (&sum)[kPixels][kPanels * kVectors]) {
  if (kWordInputs > 1 && tile.rounded) return round_sums<kPixels, kPanels>(tile, sum);
  const V low = splat(tile.low), high = splat(tile.high);
  POCKETLENS_UNROLL
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    POCKETLENS_UNROLL
    for (int column = 0; column < kPanels * kVectors; ++column) {
      const size_t place = (size_t)pixel * tile.out_pixel +
                           (size_t)(column / kVectors) * tile.out_panel +
                           (size_t)(column % kVectors * kWidth);
      V value = sum[pixel][column];
      if (tile.residual) value += load(tile.residual + place);
      store(tile.output + place, clamp(value, low, high));
    }
  }
}

// kStep: words from pixel to pixel, where they are known when this is compiled; else 0.
template <int kPixels, int kPanels, int kStep>
void run_tile(const Walk& walk, const Tile& tile) {
  constexpr int kColumns = kPanels * kVectors;
  const size_t step = kStep ? (size_t)kStep : tile.pixel_step;
  V sum[kPixels][kColumns];
  start_sums<kPixels, kPanels>(tile, sum);
  const float* weights = tile.weights;
  const float* block = tile.input;
  for (int32_t b = 0; b < walk.blocks; ++b, block += walk.block_step) {
    const Runs runs = b + 1 < walk.blocks ? walk.full : walk.last;
    const float* row = block;
    for (int32_t y = 0; y < walk.kernel_h; ++y, row += walk.row_step) {
      const float* input = row;
      for (int32_t r = 0; r < runs.count; ++r, input += walk.run_step) {
        for (int32_t k = 0; k < runs.length; ++k, weights += kPanels * kLanes) {
          V weight[kColumns];
          POCKETLENS_UNROLL
          for (int column = 0; column < kColumns; ++column) {
            weight[column] = load(weights + column * kWidth);
          }
          POCKETLENS_UNROLL
          for (int pixel = 0; pixel < kPixels; ++pixel) {
            const V x = splat(input[(size_t)k + (size_t)pixel * step]);
            POCKETLENS_UNROLL
            for (int column = 0; column < kColumns; ++column) {
              sum[pixel][column] = add_products(weight[column], x, sum[pixel][column]);
            }
          }
        }
      }
    }
  }
  store_sums<kPixels, kPanels>(tile, sum);
}

typedef void (*TileKernel)(const Walk&, const Tile&);

// Pixels of a micro-kernel by how many panels it has. A target says how its registers are shared
// out: kTilePixels[panels - 1].
constexpr int kMaxPanels = (int)(sizeof kTilePixels / sizeof kTilePixels[0]);

template <int kPanels, int kStep, int kPixels = kTilePixels[kPanels - 1]>
TileKernel kernel_for_pixels(int32_t pixels) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels) return kernel_for_pixels<kPanels, kStep, kPixels - 1>(pixels);
  }
  constexpr int kUsed = kPixels == 1 ? 0 : kStep;  // one pixel takes no step
  return run_tile<kPixels, kPanels, kUsed>;
}

template <int kStep, int kPanels = kMaxPanels>
TileKernel kernel_for_panels(int32_t panels, int32_t pixels) {
  if constexpr (kPanels > 1) {
    if (panels < kPanels) return kernel_for_panels<kStep, kPanels - 1>(panels, pixels);
  }
  return kernel_for_pixels<kPanels, kStep>(pixels);
}

TileKernel tile_kernel(int32_t panels, int32_t pixels, size_t step) {
  constexpr int kBlock = kLanes / kWordInputs;
  if (step == kBlock) return kernel_for_panels<kBlock>(panels, pixels);
  if (!kSmallCode && step == 2 * kBlock) return kernel_for_panels<2 * kBlock>(panels, pixels);
  return kernel_for_panels<0>(panels, pixels);
}

void move_right(Tile* tile, int32_t pixels) {
  const size_t steps = (size_t)pixels;
  tile->input += steps * tile->pixel_step;
  tile->start += steps * tile->start_pixel;
  if (tile->residual) tile->residual += steps * tile->out_pixel;
  tile->output += steps * tile->out_pixel;
}

// A row of pixels, shared out evenly: 13 pixels of a kernel of 12 are 7 and 6, not 12 and 1.
void run_row(const Walk& walk, Tile tile, int32_t panels, int32_t pixels) {
  const int32_t count = ceil_div(pixels, kTilePixels[panels - 1]);
  const int32_t small = pixels / count, large = pixels % count;
  TileKernel kernel = tile_kernel(panels, small + 1, tile.pixel_step);
  for (int32_t i = 0; i < large; ++i) {
    kernel(walk, tile);
    move_right(&tile, small + 1);
  }
  kernel = tile_kernel(panels, small, tile.pixel_step);
  for (int32_t i = large; i < count; ++i) {
    kernel(walk, tile);
    move_right(&tile, small);
  }
}

}  // namespace
}  // namespace pocketlens

#endif
