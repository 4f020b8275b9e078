// PNG's five row filters, undone (PNG Third Edition, 9.2).
#include "run/scanlines.h"

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

}  // namespace pocketlens
