// conv2d of 3x3 windows side by side, by Winograd's F(2x2,3x3) (Lavin and Gray, "Fast Algorithms
// for Convolutional Neural Networks", 2016): 16 products for four outputs instead of 36.
//
// The transformed weights are never stored: a slice of them is decoded and transformed in scratch
// for each work item. A work item is a run of tiles of 2x2 outputs times some panels. All its
// sums are taken tile position by tile position, by the micro-kernel of tile-inl.h:
//
//   patches  [16][channel block][tile][16]   the input, transformed: one plane a position
//   weights  [16][channel of the slice][panels * 16]
//   sums     [16][panel][tile][16]
//
// The 16 planes are an odd number of cache lines apart, so that they fall into different sets.
#ifndef POCKETLENS_KERNELS_WINOGRAD_INL_H
#define POCKETLENS_KERNELS_WINOGRAD_INL_H

#include "kernels/activate-inl.h"
#include "kernels/conv_panels-inl.h"
#include "kernels/tile-inl.h"

namespace pocketlens {
namespace {

constexpr int32_t kTaps = 9, kPositions = 16;
constexpr int32_t kItemPanels = 8;  // of an item, at least; where runs are few, half
constexpr int32_t kFewRuns = 4;
constexpr int64_t kItemFloats = (768 << 10) / 4;  // of patches and sums, about
constexpr int32_t kFewestTiles = 48;
constexpr int32_t kWinogradSliceFloats = (512 << 10) / 4;  // sums are walked once a slice

// How a conv2d is cut: runs of tiles, and parts of the panel blocks of a group.
struct WinogradCut {
  int32_t tiles_x, tiles, runs, parts;
  PanelBlocks blocks;
};

int32_t channel_blocks_of(const Conv2d& conv) {
  return ceil_div(conv.channels / conv.groups, kLanes);
}

// Of a panel block: some have one less.
int32_t most_panels(const PanelBlocks& blocks) {
  return ceil_div(blocks.group_panels, blocks.group_blocks);
}

WinogradCut winograd_cut(const Conv2d& conv) {
  WinogradCut cut;
  cut.tiles_x = ceil_div(conv.out_w, 2);
  cut.tiles = cut.tiles_x * ceil_div(conv.out_h, 2);
  cut.blocks = panel_blocks(conv);
  const int32_t panels = most_panels(cut.blocks);
  const int64_t tile_floats = kPositions * kLanes * (channel_blocks_of(conv) + panels);
  const int32_t goal = most(kFewestTiles, (int32_t)(kItemFloats / tile_floats));
  cut.runs = ceil_div(cut.tiles, goal);
  cut.parts =
      most(1, cut.blocks.group_panels / (cut.runs < kFewRuns ? kItemPanels / 2 : kItemPanels));
  return cut;
}

bool allows_winograd(const Conv2d& conv) {
  return conv.kernel_h == 3 && conv.kernel_w == 3 && conv.stride_h == 1 && conv.stride_w == 1 &&
         conv.dilation_h == 1 && conv.dilation_w == 1 && conv.in_pixel == kLanes &&
         !panel_blocks(conv).expanded;
}

// Whether Winograd's way is taken. Costs are in vectors of 16 multiplied and added, as
// core/tests/kernels_bench.cc finds them; for each run of tiles weights are decoded anew.
bool is_winograd(const Conv2d& conv) {
  if (kWordInputs > 1 || conv.way == ConvWay::kPlain || !allows_winograd(conv)) return false;
  if (conv.way == ConvWay::kWinograd) return true;
  const WinogradCut cut = winograd_cut(conv);
  const double channels = conv.channels / conv.groups, panels = cut.blocks.group_panels;
  const double tiles = cut.tiles, pixels = (double)conv.out_h * conv.out_w;
  const double plain = kTaps * channels * panels * pixels + 10.0 * cut.runs * channels * panels;
  const double products = kPositions * channels * panels * tiles;
  const double weights = kWinogradWeightCost * cut.runs * channels * panels;
  const double patches = kWinogradPatchCost * cut.parts * channels / kLanes * tiles;
  const double outputs = kWinogradOutputCost * panels * tiles;
  return products + weights + patches + outputs < plain;
}

// Floats between two positions: an odd number of cache lines.
size_t position_floats(size_t floats) { return (floats / kLanes | 1) * kLanes; }

struct WinogradRun {
  const Conv2d& conv;
  WinogradCut cut;
  int32_t image, group, first_tile, tiles;
  float *patches, *weights, *sums, *taps;
  size_t patch_step, weight_step, sum_step;  // between positions
};

// Channel blocks of a slice, of weights with so many panels at most: the same for all panel blocks,
// for scratch is laid out for the largest.
int32_t winograd_slice_blocks(int32_t panels) {
  return most(1, kWinogradSliceFloats / (kPositions * kLanes * kLanes * panels));
}

// Where the parts of scratch begin, in floats; the last is where it ends.
struct WinogradScratch {
  size_t patch_step, weight_step, sum_step;
  size_t weights, sums, taps, end;
};

WinogradScratch winograd_scratch(const Conv2d& conv, const WinogradCut& cut) {
  const size_t tiles = (size_t)ceil_div(cut.tiles, cut.runs);
  const int32_t panels = most_panels(cut.blocks);
  const int32_t blocks = least(channel_blocks_of(conv), winograd_slice_blocks(panels));
  WinogradScratch s;
  s.patch_step = position_floats((size_t)channel_blocks_of(conv) * tiles * kLanes);
  s.weight_step = position_floats((size_t)(blocks * kLanes * panels) * kLanes);
  s.sum_step = position_floats((size_t)panels * tiles * kLanes);
  s.weights = kPositions * s.patch_step;
  s.sums = s.weights + kPositions * s.weight_step;
  s.taps = s.sums + kPositions * s.sum_step;
  s.end = s.taps + kTaps * kLanes * kLanes;
  return s;
}

// Four vectors, as a row or a column of a patch is transformed: B' d.
POCKETLENS_INLINE void transform_patch(V& a, V& b, V& c, V& d) {
  const V first = a - c, second = b + c, third = c - b, fourth = b - d;
  a = first, b = second, c = third, d = fourth;
}

// One patch of 4x4 pixels.
POCKETLENS_INLINE void transform_pixels(const float* from, size_t row_step, float* to,
                                        size_t step) {
  V d[4][4];
  POCKETLENS_UNROLL
  for (int y = 0; y < 4; ++y) {
    POCKETLENS_UNROLL
    for (int x = 0; x < 4; ++x) {
      d[y][x] = load(from + (size_t)y * row_step + (size_t)x * kLanes);
    }
  }
  POCKETLENS_UNROLL
  for (int x = 0; x < 4; ++x) transform_patch(d[0][x], d[1][x], d[2][x], d[3][x]);
  POCKETLENS_UNROLL
  for (int y = 0; y < 4; ++y) {
    transform_patch(d[y][0], d[y][1], d[y][2], d[y][3]);
    POCKETLENS_UNROLL
    for (int x = 0; x < 4; ++x) store(to + (size_t)(y * 4 + x) * step, d[y][x]);
  }
}

// A patch at the edge, of which `rows` and `columns` exist, filled up with zeros.
void fill_patch(const float* from, size_t row_step, int32_t rows, int32_t columns, float* patch) {
  memset(patch, 0, kPositions * kLanes * sizeof(float));
  for (int32_t y = 0; y < least(rows, 4); ++y) {
    memcpy(patch + y * 4 * kLanes, from + (size_t)y * row_step,
           (size_t)least(columns, 4) * kLanes * sizeof(float));
  }
}

void transform_input(const WinogradRun& run) {
  const Conv2d& conv = run.conv;
  const int32_t blocks = channel_blocks_of(conv);
  const int32_t first_block = run.group * (conv.channels / conv.groups) / kLanes;
  const float* image = conv.input + (size_t)run.image * conv.in_image;
  alignas(64) float patch[kPositions * kLanes];
  for (int32_t b = 0; b < blocks; ++b) {
    const float* plane = image + (size_t)(first_block + b) * conv.in_block;
    float* to = run.patches + (size_t)b * (size_t)run.tiles * kLanes;
    for (int32_t i = 0; i < run.tiles; ++i, to += kLanes) {
      const int32_t y = (run.first_tile + i) / run.cut.tiles_x * 2;
      const int32_t x = (run.first_tile + i) % run.cut.tiles_x * 2;
      const float* from = plane + (size_t)y * conv.in_row + (size_t)x * kLanes;
      size_t row_step = conv.in_row;
      const int32_t rows = conv.out_h + 2 - y, columns = conv.out_w + 2 - x;
      if (rows < 4 || columns < 4) {
        fill_patch(from, conv.in_row, rows, columns, patch);
        from = patch;
        row_step = 4 * kLanes;
      }
      for (int v = 0; v < kLanes; v += kWidth) {
        transform_pixels(from + v, row_step, to + v, run.patch_step);
      }
    }
  }
}

// Three weights of a row or a column to four: G g.
POCKETLENS_INLINE void transform_taps(V a, V b, V c, V out[4]) {
  const V ends = (a + c) * 0.5f, middle = b * 0.5f;
  out[0] = a, out[1] = ends + middle, out[2] = ends - middle, out[3] = c;
}

// The taps of one channel and 16 outputs, `tap_step` floats apart.
POCKETLENS_INLINE void transform_window(const float* taps, size_t tap_step, float* to,
                                        size_t step) {
  V rows[4][3];
  POCKETLENS_UNROLL
  for (int x = 0; x < 3; ++x) {
    V column[4];
    transform_taps(load(taps + (size_t)x * tap_step), load(taps + (size_t)(3 + x) * tap_step),
                   load(taps + (size_t)(6 + x) * tap_step), column);
    POCKETLENS_UNROLL
    for (int y = 0; y < 4; ++y) rows[y][x] = column[y];
  }
  POCKETLENS_UNROLL
  for (int y = 0; y < 4; ++y) {
    V row[4];
    transform_taps(rows[y][0], rows[y][1], rows[y][2], row);
    POCKETLENS_UNROLL
    for (int x = 0; x < 4; ++x) store(to + (size_t)(y * 4 + x) * step, row[x]);
  }
}

void transform_weights(const WinogradRun& run, const PanelBlock& block, int32_t first,
                       int32_t blocks) {
  for (int32_t panel = 0; panel < block.panels; ++panel) {
    for (int32_t b = first; b < first + blocks; ++b) {
      const int32_t channels = least(kLanes, block.channels - b * kLanes);
      const int32_t begin = b * kTaps * kLanes;
      decode(run.conv.weights, block.first_panel + panel, begin, begin + channels * kTaps, run.taps,
             kLanes);
      float* to = run.weights + (size_t)((b - first) * kLanes * block.panels + panel) * kLanes;
      for (int32_t c = 0; c < channels; ++c, to += (size_t)block.panels * kLanes) {
        for (int v = 0; v < kLanes; v += kWidth) {
          transform_window(run.taps + c * kLanes + v, (size_t)channels * kLanes, to + v,
                           run.weight_step);
        }
      }
    }
  }
}

alignas(64) constexpr float kZeros[kLanes] = {};

void sum_products(const WinogradRun& run, const PanelBlock& block, int32_t first, int32_t blocks) {
  const int32_t last = least(kLanes, block.channels - (first + blocks - 1) * kLanes);
  const size_t plane = (size_t)run.tiles * kLanes;
  const Walk walk = {blocks, 1, {1, kLanes}, {1, last}, plane, 0, 0};
  Tile tile;
  tile.pixel_step = kLanes;
  tile.start_pixel = first == 0 ? 0 : kLanes;
  tile.start_panel = first == 0 ? 0 : plane;
  tile.residual = nullptr;
  tile.rounded = false;
  tile.out_pixel = kLanes;
  tile.out_panel = plane;
  tile.low = -__builtin_inff();
  tile.high = __builtin_inff();
  for (int position = 0; position < kPositions; ++position) {
    tile.input = run.patches + (size_t)position * run.patch_step + (size_t)first * plane;
    tile.weights = run.weights + (size_t)position * run.weight_step;
    tile.output = run.sums + (size_t)position * run.sum_step;
    tile.start = first == 0 ? kZeros : tile.output;
    run_row(walk, tile, block.panels, run.tiles);
  }
}

// Sums of a tile to its 2x2 outputs: A' m A.
POCKETLENS_INLINE void transform_sums(const float* sums, size_t step, V out[2][2]) {
  V rows[2][4];
  POCKETLENS_UNROLL
  for (int x = 0; x < 4; ++x) {
    const V a = load(sums + (size_t)x * step), b = load(sums + (size_t)(4 + x) * step);
    const V c = load(sums + (size_t)(8 + x) * step), d = load(sums + (size_t)(12 + x) * step);
    rows[0][x] = a + b + c;
    rows[1][x] = b - c - d;
  }
  POCKETLENS_UNROLL
  for (int y = 0; y < 2; ++y) {
    out[y][0] = rows[y][0] + rows[y][1] + rows[y][2];
    out[y][1] = rows[y][1] - rows[y][2] - rows[y][3];
  }
}

// The outputs of one panel in one row of tiles: those of tiles [begin, end) of the run.
void write_outputs(const WinogradRun& run, const float* sums, int32_t panel, int32_t begin,
                   int32_t end) {
  const Conv2d& conv = run.conv;
  const int32_t y = (run.first_tile + begin) / run.cut.tiles_x * 2;
  const int32_t first_x = (run.first_tile + begin) % run.cut.tiles_x * 2;
  const int32_t rows = least(2, conv.out_h - y);
  const size_t place =
      (size_t)run.image * conv.out_image +
      ((size_t)panel * (size_t)conv.out_h + (size_t)y) * (size_t)conv.out_w * kLanes;
  const Range range = clip_of(conv.activation);
  for (int v = 0; v < kLanes; v += kWidth) {
    const V bias = load(conv.bias + panel * kLanes + v);
    for (int32_t i = begin, x = first_x; i < end; ++i, x += 2) {
      V out[2][2];
      transform_sums(sums + (size_t)i * kLanes + v, run.sum_step, out);
      for (int32_t row = 0; row < rows; ++row) {
        for (int32_t column = 0; column < least(2, conv.out_w - x); ++column) {
          const size_t at = place + (size_t)(row * conv.out_w + x + column) * kLanes + (size_t)v;
          V value = out[row][column] + bias;
          if (conv.residual) value += load(conv.residual + at);
          store(conv.output + at, clamp(value, splat(range.low), splat(range.high)));
        }
      }
    }
  }
  if (is_clip(conv.activation)) return;
  const int32_t pixels = least(2 * (end - begin), conv.out_w - first_x);
  for (int32_t row = 0; row < rows; ++row) {
    float* out = conv.output + place + (size_t)(row * conv.out_w + first_x) * kLanes;
    activate(out, out, (size_t)pixels * kLanes, conv.activation);
  }
}

void transform_outputs(const WinogradRun& run, const PanelBlock& block) {
  for (int32_t panel = 0; panel < block.panels; ++panel) {
    const float* sums = run.sums + (size_t)panel * (size_t)run.tiles * kLanes;
    for (int32_t begin = 0, end; begin < run.tiles; begin = end) {
      const int32_t x = (run.first_tile + begin) % run.cut.tiles_x;
      end = least(run.tiles, begin + run.cut.tiles_x - x);
      write_outputs(run, sums, block.first_panel + panel, begin, end);
    }
  }
}

void run_winograd_block(const WinogradRun& run, int32_t number) {
  const PanelBlock block = panel_block(run.conv, run.cut.blocks, number);
  const int32_t blocks = channel_blocks_of(run.conv);
  const int32_t step = winograd_slice_blocks(most_panels(run.cut.blocks));
  for (int32_t first = 0; first < blocks; first += step) {
    const int32_t some = least(step, blocks - first);
    transform_weights(run, block, first, some);
    sum_products(run, block, first, some);
  }
  transform_outputs(run, block);
}

size_t winograd_items(const Conv2d& conv) {
  const WinogradCut cut = winograd_cut(conv);
  return (size_t)conv.images * (size_t)conv.groups * (size_t)cut.runs * (size_t)cut.parts;
}

size_t winograd_scratch_bytes(const Conv2d& conv) {
  return winograd_scratch(conv, winograd_cut(conv)).end * sizeof(float);
}

// Items of one run of tiles follow each other and share its patches.
void winograd_run(const Conv2d& conv, size_t begin, size_t end, void* scratch) {
  const WinogradCut cut = winograd_cut(conv);
  const WinogradScratch places = winograd_scratch(conv, cut);
  float* floats = static_cast<float*>(scratch);
  WinogradRun run = {conv,
                     cut,
                     0,
                     0,
                     0,
                     0,
                     floats,
                     floats + places.weights,
                     floats + places.sums,
                     floats + places.taps,
                     places.patch_step,
                     places.weight_step,
                     places.sum_step};
  const size_t parts = (size_t)cut.parts, runs = (size_t)cut.runs, groups = (size_t)conv.groups;
  for (size_t item = begin; item < end; ++item) {
    const int32_t part = (int32_t)(item % parts), number = (int32_t)(item / parts % runs);
    run.group = (int32_t)(item / parts / runs % groups);
    run.image = (int32_t)(item / parts / runs / groups);
    run.first_tile = (int32_t)((int64_t)cut.tiles * number / cut.runs);
    run.tiles = (int32_t)((int64_t)cut.tiles * (number + 1) / cut.runs) - run.first_tile;
    if (item == begin || part == 0) transform_input(run);
    const int32_t blocks = cut.blocks.group_blocks, first = run.group * blocks;
    for (int32_t b = blocks * part / cut.parts; b < blocks * (part + 1) / cut.parts; ++b) {
      run_winograd_block(run, first + b);
    }
  }
}

}  // namespace
}  // namespace pocketlens

#endif
