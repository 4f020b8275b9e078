// The weights as the engine holds them: packed panels and palettes, filled band by band.
//
// A whole tensor is never unpacked. While bands come in, only panels that are not complete yet
// stand as one byte an index (an order of bands from top to bottom leaves one at a time), and a
// mask as one bit a weight. Along a trellis a panel waits for those before it.
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

// Where the weights of an output go in a panel. A weight (O,C,KH,KW) is stored in that order; its
// panel is (block of 16 channels, ky, kx, channel in block). Any other weight keeps its order.
class PanelOrder {
 public:
  PanelOrder() = default;
  explicit PanelOrder(const Shape& shape) {
    if (shape.rank != 4) return;
    channels_ = static_cast<uint32_t>(shape.dims[1]);
    window_ = static_cast<uint32_t>(shape.dims[2] * shape.dims[3]);
  }

  bool is_plain() const { return window_ == 1; }
  uint32_t window() const { return window_; }
  uint32_t place(uint32_t channel, uint32_t tap) const {
    const uint32_t block = channel / kLanes * kLanes;
    const uint32_t lanes = channels_ - block < kLanes ? channels_ - block : kLanes;
    return block * window_ + tap * lanes + (channel - block);
  }

 private:
  uint32_t channels_ = 0;
  uint32_t window_ = 1;
};

struct PackedTensor {
  Tensor tensor;
  Weights weights = {};
  Memory panels;
  Memory palettes;
  PanelOrder order;
  Array<uint32_t> missing;  // indices of each panel that are still to come
  Array<Memory> open;       // bytes of panels that are not complete; empty memory otherwise
  uint64_t weights_left = 0;
  Mask mask;
  uint64_t ones = 0;      // of the mask; 0 until all of it is there
  Memory states;          // along a trellis: of each column, after the last panel packed
  uint32_t followed = 0;  // panels packed
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

  // Whether these are weights of the shapes and kinds that the plan's ops multiply with, so that
  // they may run on them. What the values are is not compared.
  Status fit(const Plan& plan) const;

  // One band of a plane, as inflated PNG scanlines; filters are undone in place. A refused band
  // leaves nothing behind; a mask that does not fit is forgotten as a whole. Where there was no
  // memory for a band, no further one is taken.
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
  static uint32_t outputs_in(const PackedTensor& packed, uint64_t panel);
  void pack_panel(PackedTensor* packed, uint64_t panel);
  void follow_panels(PackedTensor* packed);
  void forget_mask(PlaneFeed* feed, PackedTensor* packed);

  const KernelTable& kernels_;
  Array<PackedTensor> tensors_;
  Array<PlaneFeed> planes_;
  Array<uint32_t> readers_;  // Plan::readers
  uint64_t bands_left_ = 0;
  uint64_t bytes_ = 0;
  bool out_of_memory_ = false;  // in the middle of a band
};

}  // namespace pocketlens

#endif
