#include "photo/resample.h"

#include <string.h>

namespace pocketlens {
namespace {

typedef uint8_t Bytes4 __attribute__((vector_size(4)));
typedef int32_t Ints4 __attribute__((vector_size(16)));

constexpr int32_t kHalf = 1 << (kTapBits - 1);

Ints4 load(const uint8_t* at) {
  Bytes4 bytes;
  memcpy(&bytes, at, sizeof bytes);
  return __builtin_convertvector(bytes, Ints4);
}

// Rounded sums of weighted bytes back to bytes.
Bytes4 clipped(Ints4 sums) {
  Ints4 values = sums >> kTapBits;
  values &= values > 0;  // all ones where true
  values = (values & (values < 255)) | (255 & ~(values < 255));
  return __builtin_convertvector(values, Bytes4);
}

// One row made shorter or longer. `in` may be read a byte beyond its last pixel, `out` is written
// one beyond.
void along_row(const uint8_t* in, uint32_t pixel_bytes, const Taps& taps, uint32_t count,
               uint8_t* out) {
  for (uint32_t x = 0; x < count; ++x) {
    const uint8_t* from = in + static_cast<size_t>(taps.first(x)) * pixel_bytes;
    const int32_t* weights = taps.weights(x);
    Ints4 sums = {kHalf, kHalf, kHalf, kHalf};
    for (uint32_t tap = 0; tap < taps.count(x); ++tap) {
      sums += weights[tap] * load(from + static_cast<size_t>(tap) * pixel_bytes);
    }
    const Bytes4 pixel = clipped(sums);
    memcpy(out + 3 * static_cast<size_t>(x), &pixel, sizeof pixel);
  }
}

// One new row from `count` old ones; strides are multiples of 4.
void along_column(const uint8_t* first, size_t stride, const int32_t* weights, uint32_t count,
                  uint8_t* out) {
  for (size_t at = 0; at < stride; at += 4) {
    Ints4 sums = {kHalf, kHalf, kHalf, kHalf};
    for (uint32_t tap = 0; tap < count; ++tap) {
      sums += weights[tap] * load(first + tap * stride + at);
    }
    const Bytes4 bytes = clipped(sums);
    memcpy(out + at, &bytes, sizeof bytes);
  }
}

}  // namespace

bool Pixels::reset(uint32_t width, uint32_t height) {
  stride_ = (3 * static_cast<size_t>(width) + 1 + 3) / 4 * 4;
  return memory_.reset(uint64_t{stride_} * height);
}

bool Resample::reset(const PhotoSize& photo, Filter filter, uint32_t width, uint32_t height,
                     Box box) {
  photo_ = photo;
  box_ = box;
  next_ = 0;
  return across_.reset(filter, photo.width, width, box.left, box.left + box.width) &&
         down_.reset(filter, photo.height, height, box.top, box.top + box.height) &&
         shorter_.reset(box.width, down_.last() - down_.first(0)) &&
         row_.reset(photo.row_bytes() + 1);
}

void Resample::take(const uint8_t* pixels, uint32_t rows) {
  const uint32_t top = down_.first(0);
  for (uint32_t end = next_ + rows; next_ < end; ++next_, pixels += photo_.row_bytes()) {
    if (next_ < top || next_ >= down_.last()) continue;
    memcpy(row_.data(), pixels, photo_.row_bytes());
    along_row(row_.data(), photo_.pixel_bytes, across_, box_.width, shorter_.row(next_ - top));
  }
}

bool Resample::finish(Pixels* out) {
  if (!out->reset(box_.width, box_.height)) return false;
  const uint32_t top = down_.first(0);
  for (uint32_t y = 0; y < box_.height; ++y) {
    along_column(shorter_.row(down_.first(y) - top), shorter_.stride(), down_.weights(y),
                 down_.count(y), out->row(y));
  }
  return true;
}

}  // namespace pocketlens
