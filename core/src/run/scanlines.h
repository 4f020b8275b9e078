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

inline uint32_t pixel_at(const uint8_t* row, uint32_t x, uint32_t bits) {
  if (bits == 8) return row[x];
  const uint32_t per_byte = 8 / bits;
  const uint32_t shift = 8 - bits - x % per_byte * bits;
  return (row[x / per_byte] >> shift) & ((1u << bits) - 1);
}

}  // namespace pocketlens

#endif
