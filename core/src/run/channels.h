// What the files about moving data share with each other.
#ifndef POCKETLENS_RUN_CHANNELS_H
#define POCKETLENS_RUN_CHANNELS_H

#include <stdint.h>

#include "run/builder.h"

namespace pocketlens {

// The op's output is its plain input walked by `strides`, one an axis of the output (ops_move.cc).
bool build_strided_copy(Builder& builder, const Op& op, const int64_t* strides, int64_t offset);

// The op's output has the channels of `input`, seen as (groups, C / groups), transposed
// (ops_channels.cc). ShuffleNet, https://arxiv.org/abs/1707.01083, section 3.1.
bool build_shuffle(Builder& builder, const Op& op, Reference input, int32_t groups);

// A conv2d of `input` times `scale`, one factor a channel, which its weights take (ops_conv.cc).
bool build_scaled_conv2d(Builder& builder, const Op& op, Reference input, Reference scale);

// The op's output is `input` with the layer norm of `norm` over the channels of each pixel
// (ops_norm.cc).
bool build_channel_norm(Builder& builder, const Op& op, Reference input, const Op& norm);

}  // namespace pocketlens

#endif
