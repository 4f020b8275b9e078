// The weights as the engine holds them: packed panels and palettes, filled band by band.
//
// A whole tensor is never unpacked. While bands come in, only panels that are not complete yet
// stand as one byte an index (an order of bands from top to bottom leaves one at a time), and a
// mask as one bit a weight.
#ifndef POCKETLENS_RUN_WEIGHTS_H
#define POCKETLENS_RUN_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/status.h"
#include "kernels/table.h"
#include "plan/plan.h"
#include "run/mask.h"

namespace pocketlens {

struct PackedTensor {
  Tensor tensor;
  Weights weights = {};
  Memory panels;
  Memory palettes;
  Array<uint32_t> order;    // where in a panel's k order the i-th index of an output goes
  Array<uint32_t> missing;  // indices of each panel that are still to come
  Array<Memory> open;       // bytes of panels that are not complete; empty memory otherwise
  uint64_t weights_left = 0;
  Mask mask;
  uint64_t ones = 0;  // of the mask; 0 until all of it is there
};

struct PlaneFeed {
  Plane plane;
  Array<uint8_t> fed;  // a flag a band
  uint32_t bands_left = 0;
};

// Rows of a plane that were handed in, filters undone.
struct BandRows {
  const uint8_t* rows;
  uint64_t first_pixel;  // of the plane
  uint64_t pixels;
};

class WeightStore {
 public:
  explicit WeightStore(const KernelTable& kernels) : kernels_(kernels) {}

  // Lays out every tensor that an op multiplies with, packs float and half ones.
  Status open(const Plan& plan);

  // One band of a plane, as inflated PNG scanlines; filters are undone in place. A refused band
  // leaves nothing behind; a mask that does not fit is forgotten as a whole.
  Status feed(uint32_t plane, uint32_t band, uint8_t* rows, size_t row_bytes);

  bool is_ready() const { return bands_left_ == 0; }
  const Weights& weights(uint32_t tensor) const { return tensors_[tensor].weights; }
  uint64_t bytes() const { return bytes_; }

 private:
  Status open_tensor(const Tensor& tensor, size_t number);
  Status open_palette(PackedTensor* packed);
  void pack_values(PackedTensor* packed);
  Status open_planes(const Plan& plan);
  Status take_band(PlaneFeed* feed, const BandRows& band);
  Status take_mask(PlaneFeed* feed, PackedTensor* packed, const BandRows& band);
  Status place_runs(const PlaneFeed& feed, const BandRows& band);
  Status place_masked(const PlaneFeed& feed, PackedTensor* packed, const BandRows& band);
  Status put(PackedTensor* packed, uint64_t weight, const uint8_t* indices, uint64_t count);
  void forget_mask(PlaneFeed* feed, PackedTensor* packed);

  const KernelTable& kernels_;
  Array<PackedTensor> tensors_;
  Array<PlaneFeed> planes_;
  Array<uint32_t> readers_;  // Plan::readers
  uint64_t bands_left_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace pocketlens

#endif
