// The weights as the engine holds them: packed panels and palettes, filled band by band.
//
// A whole tensor is never unpacked. While bands come in, only panels that are not complete yet
// stand as one byte an index (an order of bands from top to bottom leaves one at a time).
#ifndef POCKETLENS_RUN_WEIGHTS_H
#define POCKETLENS_RUN_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/status.h"
#include "kernels/table.h"
#include "plan/plan.h"

namespace pocketlens {

struct PackedTensor {
  Tensor tensor;
  Weights weights = {};
  bool used = false;  // by a conv2d or a linear
  Memory panels;
  Memory palettes;
  Array<uint8_t> fed;  // a flag a band
  uint32_t bands_left = 0;
  Array<uint32_t> order;    // where in a panel's k order the i-th index of an output goes
  Array<uint32_t> missing;  // indices of each panel that are still to come
  Array<Memory> open;       // bytes of panels that are not complete; empty memory otherwise
};

class WeightStore {
 public:
  explicit WeightStore(const KernelTable& kernels) : kernels_(kernels) {}

  // Lays out every tensor that an op multiplies with, packs float and half ones.
  Status open(const Plan& plan);

  // One band of a palette tensor, as inflated PNG scanlines; filters are undone in place.
  Status feed(uint32_t tensor, uint32_t band, uint8_t* rows, size_t row_bytes);

  bool is_ready() const { return bands_left_ == 0; }
  const Weights& weights(uint32_t tensor) const { return tensors_[tensor].weights; }
  uint64_t bytes() const { return bytes_; }

 private:
  Status open_tensor(const Tensor& tensor, size_t number);
  Status open_palette(PackedTensor* packed);
  void pack_values(PackedTensor* packed);
  Status place(PackedTensor* packed, uint32_t first_row, uint32_t row_count, const uint8_t* rows,
               size_t stride);

  const KernelTable& kernels_;
  Array<PackedTensor> tensors_;
  uint64_t bands_left_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace pocketlens

#endif
