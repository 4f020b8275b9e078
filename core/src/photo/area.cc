#include "photo/area.h"

namespace pocketlens {
namespace {

constexpr uint32_t kMostHeld = 256;  // bytes that add up to less than 2^16

// sums += the bytes of `rows` rows.
void add_bytes(const uint8_t* __restrict pixels, size_t bytes, uint32_t rows,
               uint16_t* __restrict sums) {
  for (; rows >= 4; rows -= 4, pixels += 4 * bytes) {
    const uint8_t *a = pixels, *b = a + bytes, *c = b + bytes, *d = c + bytes;
    for (size_t i = 0; i < bytes; ++i) {
      sums[i] = static_cast<uint16_t>(sums[i] + a[i] + b[i] + c[i] + d[i]);
    }
  }
  for (; rows > 0; --rows, pixels += bytes) {
    for (size_t i = 0; i < bytes; ++i) sums[i] = static_cast<uint16_t>(sums[i] + pixels[i]);
  }
}

void add_part(const uint8_t* __restrict pixels, size_t bytes, float part, float* __restrict line) {
  for (size_t i = 0; i < bytes; ++i) line[i] += part * static_cast<float>(pixels[i]);
}

// Sums of pixels, in doubles: a new one may be of thousands.
struct Sums {
  double red, green, blue;

  void add(const float* pixel, double part) {
    red += part * static_cast<double>(pixel[0]);
    green += part * static_cast<double>(pixel[1]);
    blue += part * static_cast<double>(pixel[2]);
  }
  void add_two(const float* pixel, const float* other) {
    red += static_cast<double>(pixel[0]) + static_cast<double>(other[0]);
    green += static_cast<double>(pixel[1]) + static_cast<double>(other[1]);
    blue += static_cast<double>(pixel[2]) + static_cast<double>(other[2]);
  }
};

}  // namespace

bool Area::reset(const PhotoSize& photo, uint32_t height, uint32_t width) {
  photo_ = photo;
  height_ = height;
  width_ = width;
  next_ = held_ = 0;
  bottom_ = Edges(photo.height, height);
  bottom_.advance();
  return sums_.reset(photo.row_bytes()) && line_.reset(photo.row_bytes() + 4);
}

uint32_t Area::take(const uint8_t* pixels, uint32_t rows, float* out) {
  uint32_t made = 0;
  const auto finish = [&] {
    finish_row(out + 3 * static_cast<size_t>(width_) * made);
    ++made;
    bottom_.advance();
  };
  for (const uint32_t end = next_ + rows; next_ < end;) {
    uint32_t taken = 1;
    if (next_ == bottom_.cell()) {  // an edge goes through this row
      const float above = static_cast<float>(bottom_.part()) / static_cast<float>(height_);
      add_part(pixels, photo_.row_bytes(), above, line_.data());
      finish();
      add_part(pixels, photo_.row_bytes(), 1 - above, line_.data());
    } else {
      taken = (end < bottom_.cell() ? end : bottom_.cell()) - next_;
      add_rows(pixels, taken);
    }
    pixels += taken * photo_.row_bytes();
    next_ += taken;
    if (next_ == bottom_.cell() && bottom_.part() == 0) finish();
  }
  return made;
}

void Area::add_rows(const uint8_t* pixels, uint32_t rows) {
  while (rows > 0) {
    const uint32_t room = kMostHeld - held_, count = rows < room ? rows : room;
    add_bytes(pixels, photo_.row_bytes(), count, sums_.data());
    pixels += count * photo_.row_bytes();
    rows -= count;
    held_ += count;
    if (held_ == kMostHeld) add_sums();
  }
}

void Area::add_sums() {
  uint16_t* __restrict sums = sums_.data();
  float* __restrict line = line_.data();
  for (size_t i = 0; i < photo_.row_bytes(); ++i) line[i] += static_cast<float>(sums[i]);
  memset(sums, 0, photo_.row_bytes() * sizeof *sums);
  held_ = 0;
}

void Area::finish_row(float* out) {
  if (held_ > 0) add_sums();
  const size_t pixel = photo_.pixel_bytes;
  const double cell = 1.0 / width_;
  const double scale =
      static_cast<double>(width_) * height_ / (static_cast<double>(photo_.width) * photo_.height);
  Edges edge(photo_.width, width_);
  for (uint32_t x = 0; x < width_; ++x, out += 3) {
    Sums sums = {0, 0, 0};
    const float* at = line_.data() + edge.cell() * pixel;
    sums.add(at, (width_ - edge.part()) * cell);
    const uint32_t first = edge.cell() + 1;
    edge.advance();
    at += pixel;
    uint32_t whole = edge.cell() - first;
    for (; whole >= 2; whole -= 2, at += 2 * pixel) sums.add_two(at, at + pixel);
    for (; whole > 0; --whole, at += pixel) sums.add(at, 1);
    sums.add(at, edge.part() * cell);
    out[0] = static_cast<float>(sums.red * scale);
    out[1] = static_cast<float>(sums.green * scale);
    out[2] = static_cast<float>(sums.blue * scale);
  }
  memset(line_.data(), 0, photo_.row_bytes() * sizeof(float));
}

}  // namespace pocketlens
