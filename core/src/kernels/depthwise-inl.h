// depthwise: one channel a lane. The inputs of a row are loaded once and added to every output of
// the step that sees them; a work item is a block of 16 channels times a tile of rows.
//
// The input has no halo: rows of taps that lie outside are left out, and steps at the left and
// right edge look where a column lies before they load it. So a depthwise conv2d, which does little
// with each value, needs no padded copy of its input.
//
// Where words are two inputs (words-inl.h) the output is made of them; the input is floats
// everywhere.
#ifndef POCKETLENS_KERNELS_DEPTHWISE_INL_H
#define POCKETLENS_KERNELS_DEPTHWISE_INL_H

#include "kernels/activate-inl.h"
#include "kernels/decode-inl.h"
#include "kernels/words-inl.h"

namespace pocketlens {
namespace {

constexpr int32_t kDepthwisePixelsGoal = 2048;

int32_t depthwise_row_tiles(const Conv2d& conv) {
  const int32_t pixels = conv.out_h * conv.out_w;
  const int32_t tiles = most(1, least(pixels / kDepthwisePixelsGoal, conv.out_h));
  return ceil_div(conv.out_h, ceil_div(conv.out_h, tiles));
}

// One row of one vector of channels; every pointer already stands at the vector.
struct DepthwiseRow {
  const float* input;    // column 0 of the first row of taps that lies inside
  int32_t taps_down;     // rows of taps inside
  const float* weights;  // of that row: [taps_down * kernel_w][16]
  const float* residual;
  float* output;
  V bias, low, high;
};

POCKETLENS_INLINE void finish(const DepthwiseRow& row, int32_t pixel, V sum) {
  const size_t place = (size_t)pixel * kLanes;
  if (row.residual) sum += load(row.residual + place);
  store_rounded(row.output + place / kWordInputs, clamp(sum, row.low, row.high));
}

// kPixels neighbours of a kernel kKernel wide, at a stride known when this is compiled. kEdge: some
// of the columns may lie outside of the input.
template <int kKernel, int kStride, int kPixels, bool kEdge>
POCKETLENS_INLINE void depthwise_step(const Conv2d& conv, const DepthwiseRow& row, int32_t pixel) {
  V sum[kPixels];
  POCKETLENS_UNROLL
  for (int p = 0; p < kPixels; ++p) sum[p] = row.bias;
  const int32_t column = pixel * kStride - conv.pad_left;
  const float* input = row.input;
  const float* weights = row.weights;
  for (int32_t y = 0; y < row.taps_down; ++y) {
    V weight[kKernel];
    POCKETLENS_UNROLL
    for (int i = 0; i < kKernel; ++i) weight[i] = load(weights + i * kLanes);
    POCKETLENS_UNROLL
    for (int i = 0; i < (kPixels - 1) * kStride + kKernel; ++i) {
      if (kEdge && (uint32_t)(column + i) >= (uint32_t)conv.in_w) continue;
      const V x = load(input + (ptrdiff_t)(column + i) * kLanes);
      POCKETLENS_UNROLL
      for (int p = 0; p < kPixels; ++p) {
        const int tap = i - p * kStride;
        if (tap >= 0 && tap < kKernel) sum[p] = multiply_add(x, weight[tap], sum[p]);
      }
    }
    input += conv.in_row * (size_t)conv.dilation_h;
    weights += kKernel * kLanes;
  }
  POCKETLENS_UNROLL
  for (int p = 0; p < kPixels; ++p) finish(row, pixel + p, sum[p]);
}

// `count` steps of kPixels, from `pixel` on.
template <int kKernel, int kStride, int kPixels>
void depthwise_steps(const Conv2d& conv, const DepthwiseRow& row, int32_t pixel, int32_t count) {
  for (; count > 0; --count, pixel += kPixels) {
    const int32_t begin = pixel * kStride - conv.pad_left;
    const int32_t end = begin + (kPixels - 1) * kStride + kKernel;
    if (begin >= 0 && end <= conv.in_w) {
      depthwise_step<kKernel, kStride, kPixels, false>(conv, row, pixel);
    } else {
      depthwise_step<kKernel, kStride, kPixels, true>(conv, row, pixel);
    }
  }
}

typedef void (*DepthwiseSteps)(const Conv2d&, const DepthwiseRow&, int32_t pixel, int32_t count);

template <int kKernel, int kStride, int kPixels = kDepthwisePixels>
DepthwiseSteps depthwise_steps_of(int32_t pixels) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels) return depthwise_steps_of<kKernel, kStride, kPixels - 1>(pixels);
  }
  return depthwise_steps<kKernel, kStride, kPixels>;
}

// A row, shared out evenly: 14 pixels in steps of at most 8 are 7 and 7.
template <int kKernel, int kStride>
void depthwise_row(const Conv2d& conv, const DepthwiseRow& row) {
  if constexpr (kSmallCode) {  // what is left over goes one by one
    constexpr int kPixels = kDepthwisePixels / kStride;
    const int32_t steps = conv.out_w / kPixels, done = steps * kPixels;
    depthwise_steps<kKernel, kStride, kPixels>(conv, row, 0, steps);
    return depthwise_steps<kKernel, kStride, 1>(conv, row, done, conv.out_w - done);
  }
  const int32_t count = ceil_div(conv.out_w, kDepthwisePixels);
  const int32_t small = conv.out_w / count, large = conv.out_w % count;
  if (large) depthwise_steps_of<kKernel, kStride>(small + 1)(conv, row, 0, large);
  depthwise_steps_of<kKernel, kStride>(small)(conv, row, large * (small + 1), count - large);
}

// Any kernel, stride and dilation; `lanes` channels may be loaded at a place of the input.
void depthwise_row_any(const Conv2d& conv, const DepthwiseRow& row, int32_t lanes) {
  for (int32_t x = 0; x < conv.out_w; ++x) {
    V sum = row.bias;
    const float* weights = row.weights;
    for (int32_t ky = 0; ky < row.taps_down; ++ky) {
      for (int32_t kx = 0; kx < conv.kernel_w; ++kx, weights += kLanes) {
        const int32_t column = x * conv.stride_w - conv.pad_left + kx * conv.dilation_w;
        if (column < 0 || column >= conv.in_w) continue;
        const float* at = row.input + (size_t)(ky * conv.dilation_h) * conv.in_row +
                          (size_t)column * conv.in_pixel;
        V input = {};
        if (lanes >= kWidth) {
          input = load(at);
        } else {
          for (int32_t lane = 0; lane < lanes; ++lane) input[lane] = at[lane];
        }
        sum = multiply_add(input, load(weights), sum);
      }
    }
    finish(row, x, sum);
  }
}

typedef void (*DepthwiseRowKernel)(const Conv2d&, const DepthwiseRow&);

// The row kernel made for this kernel and stride; null where there is none.
DepthwiseRowKernel depthwise_kernel(const Conv2d& conv) {
  if (conv.dilation_w != 1 || conv.in_pixel != kLanes) return nullptr;
  if (conv.kernel_w == 3 && conv.stride_w == 1) return depthwise_row<3, 1>;
  if (conv.kernel_w == 3 && conv.stride_w == 2) return depthwise_row<3, 2>;
  if (conv.kernel_w == 5 && conv.stride_w == 1) return depthwise_row<5, 1>;
  if (conv.kernel_w == 5 && conv.stride_w == 2) return depthwise_row<5, 2>;
  if (!kSmallCode && conv.kernel_w == 7 && conv.stride_w == 1) return depthwise_row<7, 1>;
  return nullptr;
}

// Rows of taps, from `first` on, that lie inside of the input: the first in its row `row`.
struct Taps {
  int32_t first, count, row;
};

Taps taps_inside(const Conv2d& conv, int32_t y) {
  const int32_t top = y * conv.stride_h - conv.pad_top;
  const int32_t first = top < 0 ? ceil_div(-top, conv.dilation_h) : 0;
  const int32_t end = least(conv.kernel_h, ceil_div(conv.in_h - top, conv.dilation_h));
  if (end <= first) return {0, 0, 0};  // nothing but padding
  return {first, end - first, top + first * conv.dilation_h};
}

// Output row y of channel block `block` of image n.
void run_depthwise_row(const Conv2d& conv, const float* weights, const Range& clip, int32_t n,
                       int32_t block, int32_t y) {
  const DepthwiseRowKernel kernel = depthwise_kernel(conv);
  const size_t place =
      (size_t)n * conv.out_image +
      ((size_t)block * (size_t)conv.out_h + (size_t)y) * (size_t)conv.out_w * kLanes;
  const Taps taps = taps_inside(conv, y);
  const float* input = conv.input + (size_t)n * conv.in_image + (size_t)block * conv.in_block +
                       (size_t)taps.row * conv.in_row;
  weights += taps.first * conv.kernel_w * kLanes;
  for (int32_t lane = 0; lane < kLanes; lane += kWidth) {
    const DepthwiseRow row = {input + lane,
                              taps.count,
                              weights + lane,
                              conv.residual ? conv.residual + place + lane : nullptr,
                              conv.output + place / kWordInputs + lane,
                              load(conv.bias + block * kLanes + lane),
                              splat(clip.low),
                              splat(clip.high)};
    if (kernel) {
      kernel(conv, row);
    } else {
      depthwise_row_any(conv, row, (int32_t)conv.in_pixel - lane);
    }
  }
  if (is_clip(conv.activation)) return;
  float* out = conv.output + place;
  activate(out, out, (size_t)conv.out_w * kLanes, conv.activation);
}

size_t depthwise_items(const Conv2d& conv) {
  return (size_t)conv.images * (size_t)panel_count(conv.weights) *
         (size_t)depthwise_row_tiles(conv);
}

size_t depthwise_scratch_bytes(const Conv2d& conv) {
  return (size_t)conv.weights.depth * kLanes * sizeof(float);
}

// Items: (block, image, tile of rows), the tile running fastest.
void depthwise_run(const Conv2d& conv, size_t begin, size_t end, void* scratch) {
  float* weights = static_cast<float*>(scratch);
  const Range clip = clip_of(conv.activation);
  const int32_t tiles = depthwise_row_tiles(conv), rows = ceil_div(conv.out_h, tiles);
  int32_t decoded = -1;
  for (size_t item = begin; item < end; ++item) {
    const int32_t tile = (int32_t)(item % (size_t)tiles);
    const int32_t n = (int32_t)(item / (size_t)tiles % (size_t)conv.images);
    const int32_t block = (int32_t)(item / (size_t)tiles / (size_t)conv.images);
    if (block != decoded) decode(conv.weights, block, 0, conv.weights.depth, weights, kLanes);
    decoded = block;
    for (int32_t y = tile * rows; y < least((tile + 1) * rows, conv.out_h); ++y) {
      run_depthwise_row(conv, weights, clip, n, block, y);
    }
  }
}

}  // namespace
}  // namespace pocketlens

#endif
