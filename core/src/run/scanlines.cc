// PNG's five row filters, undone (PNG Third Edition, 9.2).
#include "run/scanlines.h"

#include <string.h>

namespace pocketlens {
namespace {

uint8_t paeth(int left, int up, int corner) {
  const int estimate = left + up - corner;
  const int to_left = estimate > left ? estimate - left : left - estimate;
  const int to_up = estimate > up ? estimate - up : up - estimate;
  const int to_corner = estimate > corner ? estimate - corner : corner - estimate;
  if (to_left <= to_up && to_left <= to_corner) return static_cast<uint8_t>(left);
  return static_cast<uint8_t>(to_up <= to_corner ? up : corner);
}

// `above` is null for the first row.
void undo_row(int filter, uint8_t* row, const uint8_t* above, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) {
    const int left = i > 0 ? row[i - 1] : 0;
    const int up = above != nullptr ? above[i] : 0;
    const int corner = above != nullptr && i > 0 ? above[i - 1] : 0;
    int add = 0;
    if (filter == 1) add = left;
    if (filter == 2) add = up;
    if (filter == 3) add = (left + up) / 2;
    if (filter == 4) add = paeth(left, up, corner);
    row[i] = static_cast<uint8_t>(row[i] + add);
  }
}

}  // namespace

int64_t undo_filters(uint8_t* rows, size_t count, size_t bytes) {
  const uint8_t* above = nullptr;
  for (size_t r = 0; r < count; ++r) {
    uint8_t* row = rows + r * (bytes + 1);
    if (row[0] > 4) return static_cast<int64_t>(r);
    if (row[0] != 0) undo_row(row[0], row + 1, above, bytes);
    above = row + 1;
  }
  return -1;
}

namespace {

template <uint32_t kBits>
void unpack(const uint8_t* row, uint32_t first, uint32_t count, uint8_t* pixels) {
  constexpr uint32_t kEach = 8 / kBits, kMask = (1u << kBits) - 1;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t x = first + i;
    pixels[i] = static_cast<uint8_t>(row[x / kEach] >> (8 - kBits - x % kEach * kBits) & kMask);
  }
}

}  // namespace

uint32_t PixelReader::take(uint64_t most, uint8_t* pixels) {
  const uint32_t left = width_ - x_;
  const uint32_t count = most < left ? static_cast<uint32_t>(most) : left;
  if (bits_ == 8) memcpy(pixels, row_ + 1 + x_, count);
  if (bits_ == 4) unpack<4>(row_ + 1, x_, count, pixels);
  if (bits_ == 2) unpack<2>(row_ + 1, x_, count, pixels);
  if (bits_ == 1) unpack<1>(row_ + 1, x_, count, pixels);
  x_ += count;
  if (x_ == width_) {
    x_ = 0;
    row_ += stride_;
  }
  return count;
}

}  // namespace pocketlens
