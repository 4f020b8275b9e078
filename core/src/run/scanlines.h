// PNG scanlines: filters undone in place, pixels of 1, 2, 4 or 8 bits.
// PNG (Third Edition), section 9.2: filter types for filter method 0.
#ifndef POCKETLENS_RUN_SCANLINES_H
#define POCKETLENS_RUN_SCANLINES_H

#include <stddef.h>
#include <stdint.h>

namespace pocketlens {

// Undoes the filters of `count` rows of one filter byte and `bytes` bytes each; the row above the
// first is 0. Pixels are at most a byte, so the byte to the left is one byte away. -1, or the
// number of the first row whose filter is not 0 to 4.
int64_t undo_filters(uint8_t* rows, size_t count, size_t bytes);

// Reads pixels of whole rows, one byte each, across the ends of rows.
class PixelReader {
 public:
  // `rows` as undo_filters() leaves them; from pixel `first` on.
  PixelReader(const uint8_t* rows, uint32_t width, uint32_t bits, uint64_t first)
      : stride_(1 + (uint64_t{width} * bits + 7) / 8), width_(width), bits_(bits) {
    row_ = rows + first / width * stride_;
    x_ = static_cast<uint32_t>(first % width);
  }

  // Up to `most` pixels, at least 1, not beyond the end of a row; returns how many.
  uint32_t take(uint64_t most, uint8_t* pixels);

 private:
  const uint8_t* row_;  // its filter byte
  size_t stride_;
  uint32_t width_, bits_, x_;
};

}  // namespace pocketlens

#endif
