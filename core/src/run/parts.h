// What steps are made of, for a step that does the work of several (ops_banded.cc).
#ifndef POCKETLENS_RUN_PARTS_H
#define POCKETLENS_RUN_PARTS_H

#include <stdint.h>

#include "run/builder.h"

namespace pocketlens {

// A conv2d but for where its input and output stand.
struct ConvPart {
  Conv2d conv = {};
  bool depthwise = false;
  int32_t input = -1;  // buffer
  Memory bias;

  // Values of the input in four bytes: strides count values.
  size_t word_values(const KernelTable& kernels) const {
    return kernels.round_to_bf16 != nullptr && !depthwise ? 2 : 1;
  }
  size_t items(const KernelTable& kernels, const Conv2d& now) const {
    return (depthwise ? kernels.depthwise_items : kernels.conv2d_items)(now);
  }
  size_t scratch_bytes(const KernelTable& kernels, const Conv2d& now) const {
    return (depthwise ? kernels.depthwise_scratch_bytes : kernels.conv2d_scratch_bytes)(now);
  }
  void run(const KernelTable& kernels, const Conv2d& now, size_t begin, size_t end,
           void* scratch) const {
    (depthwise ? kernels.depthwise_run : kernels.conv2d_run)(now, begin, end, scratch);
  }
};

// Describes the op as a conv2d of `input`, which it brings into the form that kernels want
// (ops_conv.cc). False: no memory.
bool make_conv(Builder& builder, const Op& op, Reference input, ConvPart* part);

// An lrn or grouped_lrn of pictures that lie one block after the other; where they stand and what
// it needs beside is for the step to say (ops_norm.cc).
LrnPixels describe_lrn(const Op& op, const Pictures& pictures);

// One axis of a pool.
struct PoolAxis {
  int32_t size, kernel, stride, dilation, before, after;

  // The taps of one window that fall on the picture.
  struct Taps {
    int32_t start;    // of the first tap, in pixels
    int32_t count;    // on the picture
    int32_t counted;  // on the picture and its pads
  };
  Taps taps(int32_t out) const;
};

// A pool's windows, row by row (ops_pool.cc).
struct PoolRows {
  PoolAxis y = {}, x = {};
  int32_t out_w = 0;
  bool average = false, include_pad = false;

  // Row `row` of the output of one block. `in` stands at row `in_row` of the block's input: rows
  // before it, and after those of the window, need not be there.
  void run_row(const KernelTable& kernels, const float* in, int32_t in_row, int32_t row,
               float* out) const;
};

PoolRows describe_pool(const Op& op, const Shape& in, const Shape& out);

}  // namespace pocketlens

#endif
