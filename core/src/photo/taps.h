// Which pixels of a line count for a resized one, and how much: the weights of a resampling filter.
//
// As Pillow has them, to the bit: a filter as wide as a new pixel is apart from the next one when a
// picture shrinks, its weights summing to 1 and rounded to 22 bits behind the point.
#ifndef POCKETLENS_PHOTO_TAPS_H
#define POCKETLENS_PHOTO_TAPS_H

#include <stdint.h>

#include "base/array.h"
#include "photo/recipe.h"

namespace pocketlens {

constexpr int kTapBits = 22;

class Taps {
 public:
  // For new pixels `begin` to `end` (exclusive) of a line of `from` pixels that is made `to` long.
  // False where there is no memory.
  [[nodiscard]] bool reset(Filter filter, uint32_t from, uint32_t to, uint32_t begin, uint32_t end);

  // Of new pixel begin + i: the first old pixel that counts, how many do, and their weights.
  uint32_t first(size_t i) const { return spans_[i].first; }
  uint32_t count(size_t i) const { return spans_[i].count; }
  const int32_t* weights(size_t i) const { return weights_.data() + i * widest_; }

  // Old pixels that any new one needs: from first(0) up to here.
  uint32_t last() const { return last_; }

 private:
  struct Span {
    uint32_t first, count;
  };

  void nearest(uint32_t from, uint32_t to, uint32_t begin);

  Array<Span> spans_;
  Array<int32_t> weights_;
  size_t widest_ = 0;
  uint32_t last_ = 0;
};

}  // namespace pocketlens

#endif
