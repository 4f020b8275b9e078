// All kernels of a target, and its table. A target_<name>.cc defines POCKETLENS_VECTOR_LANES and
// includes its look-up, says kTilePixels and the like, and includes this. kSmallCode: what is rare
// shares code with what is not. kByteRows: a packed row of words is four rows of their bytes.
#ifndef POCKETLENS_KERNELS_TARGET_INL_H
#define POCKETLENS_KERNELS_TARGET_INL_H

#include "kernels/conv2d-inl.h"
#include "kernels/depthwise-inl.h"
#include "kernels/linear-inl.h"
#include "kernels/lrn-inl.h"
#include "kernels/matmul-inl.h"
#include "kernels/pool-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/targets.h"

namespace pocketlens {
namespace {

constexpr KernelTable table_named(const char* name) {
  return {name,
          nullptr,
          nullptr,
          pack_index,
          decode,
          conv2d_items,
          conv2d_scratch_bytes,
          conv2d_run,
          depthwise_items,
          depthwise_scratch_bytes,
          depthwise_run,
          linear_items,
          linear_scratch_bytes,
          linear_run,
          pool,
          activate,
          softmax,
          normalize,
          lrn,
          matmul};
}

}  // namespace
}  // namespace pocketlens

#endif
