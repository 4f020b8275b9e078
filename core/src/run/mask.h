// A tensor's mask while its plane is handed in: a bit a weight, 0 where the index is the common
// one. The k-th pixel of the plane belongs to the weight of the k-th one.
#ifndef POCKETLENS_RUN_MASK_H
#define POCKETLENS_RUN_MASK_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"

namespace pocketlens {

class Mask {
 public:
  // Zeros for `weights` of them.
  [[nodiscard]] bool reset(uint64_t weights) { return bits_.reset(weights / 8 + 2); }
  void clear() { bits_ = Memory(); }
  bool empty() const { return bits_.data() == nullptr; }

  // Adds `count` packed pixels, first in the high bit, as the bits of weights from `at`; they are
  // zeros so far.
  void put(uint64_t at, const uint8_t* packed, uint64_t count);

  bool operator[](uint64_t weight) const {
    return (bits_.data()[weight / 8] >> (7 - weight % 8) & 1) != 0;
  }
  uint64_t ones() const;
  // The weight after that of one number `count`, counted from 1; 0 for 0. There are so many.
  uint64_t after(uint64_t count) const;

 private:
  Memory bits_;
};

}  // namespace pocketlens

#endif
