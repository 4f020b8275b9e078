// Runs of ops that are one step when seen together.
#ifndef POCKETLENS_RUN_PATTERNS_H
#define POCKETLENS_RUN_PATTERNS_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "plan/plan.h"

namespace pocketlens {

// How often every value is read, plan outputs included.
[[nodiscard]] bool count_reads(const Plan& plan, Array<uint32_t>* reads);

// Whether a conv2d has one channel a group.
bool is_depthwise(const Plan& plan, const Op& conv);

// Whether every value is read by nothing but inputs of conv2d that are not depthwise.
[[nodiscard]] bool find_conv_inputs(const Plan& plan, Array<uint8_t>* are);

// The groups of a channel shuffle that starts at op `first`: reshape (N,C,H,W) to (N,G,C/G,H,W),
// transpose of axes 1 and 2, reshape back, with nobody else reading what is between. 0: it is none.
int32_t shuffle_groups(const Plan& plan, const Array<uint32_t>& reads, size_t first);

// Whether op `first` and the two after it are a layer norm over the channels of (N,C,H,W): its
// transpose to (N,H,W,C), layer_norm of the last axis by constants, and the transpose back, with
// nobody else reading what is between.
bool is_channel_norm(const Plan& plan, const Array<uint32_t>& reads, size_t first);

// Whether op `first` is a conv2d of one picture, neither depthwise nor with a residual, whose
// output nobody reads but an lrn or grouped_lrn, and that one's nobody but a pool: the two ops
// after it.
bool is_normed_pool(const Plan& plan, const Array<uint32_t>& reads, size_t first);

// A picture and its channels' factors.
struct Scaled {
  Reference picture, scale;
};

// Where op `first` multiplies one picture by a factor a channel, for nobody but the 1x1 conv2d
// after it: what it multiplies. Else both are absent.
Scaled scaled_input(const Plan& plan, const Array<uint32_t>& reads, size_t first);

}  // namespace pocketlens

#endif
