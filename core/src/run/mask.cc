// Bits of a mask (run/mask.h).
#include "run/mask.h"

#include <string.h>

namespace pocketlens {

void Mask::put(uint64_t at, const uint8_t* packed, uint64_t count) {
  const unsigned shift = at % 8;
  uint8_t* to = bits_.data() + at / 8;
  for (uint64_t done = 0; done < count; done += 8, ++packed, ++to) {
    const uint64_t left = count - done;
    const unsigned keep = left < 8 ? 0xFF00u >> left & 0xFFu : 0xFFu;
    const unsigned byte = *packed & keep;
    to[0] = static_cast<uint8_t>(to[0] | byte >> shift);
    to[1] = static_cast<uint8_t>(to[1] | byte << (8 - shift));
  }
}

uint64_t Mask::ones() const {
  uint64_t count = 0;
  for (size_t i = 0; i < bits_.size(); ++i) {
    count += static_cast<uint64_t>(__builtin_popcount(bits_.data()[i]));
  }
  return count;
}

uint64_t Mask::after(uint64_t count) const {
  uint64_t byte = 0, seen = 0;
  if (count == 0) return 0;
  for (;; ++byte) {
    const uint64_t here = static_cast<uint64_t>(__builtin_popcount(bits_.data()[byte]));
    if (seen + here >= count) break;
    seen += here;
  }
  uint64_t weight = byte * 8;
  for (; seen < count; ++weight) seen += (*this)[weight] ? 1 : 0;
  return weight;
}

}  // namespace pocketlens
