#include "photo/form.h"

#include <string.h>

namespace pocketlens {
namespace {

// side x to / other, the quotient in float and rounded in double: ccv's arithmetic.
uint64_t in_proportion(uint32_t side, uint32_t to, uint32_t other) {
  const float quotient =
      static_cast<float>(side) * static_cast<float>(to) / static_cast<float>(other);
  return static_cast<uint64_t>(static_cast<double>(quotient) + 0.5);
}

uint64_t larger_of(uint64_t a, uint64_t b) { return a > b ? a : b; }

struct Size {
  uint64_t width, height;
};

// Of a photo when it is as small as covers the recipe's size.
Size formed(const Recipe& recipe, const PhotoSize& photo) {
  const uint32_t high = recipe.resize_height, wide = recipe.resize_width;
  const bool fits = (photo.height == high && photo.width >= wide) ||
                    (photo.width == wide && photo.height >= high);
  if (fits) return {photo.width, photo.height};
  return {larger_of(wide, in_proportion(photo.width, wide, photo.height)),
          larger_of(high, in_proportion(photo.height, high, photo.width))};
}

// A row of pixels in the recipe's channels, in place. Gray: ITU-R BT.601 luma.
void put_in_order(Channels channels, float* row, uint32_t width) {
  if (channels == Channels::kRgb) return;
  for (uint32_t x = 0; x < width; ++x) {
    const float *pixel = row + 3 * static_cast<size_t>(x), red = pixel[0], blue = pixel[2];
    if (channels == Channels::kBgr) {
      row[3 * static_cast<size_t>(x)] = blue;
      row[3 * static_cast<size_t>(x) + 2] = red;
    } else {
      row[x] = red * 0.299f + pixel[1] * 0.587f + blue * 0.114f;
    }
  }
}

// A row of little-endian floats.
void read_floats(const uint8_t* bytes, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i, bytes += 4) {
    const uint32_t bits =
        bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<uint32_t>(bytes[3]) << 24;
    memcpy(out + i, &bits, sizeof bits);
  }
}

}  // namespace

Status Forming::begin_forming(const Recipe& recipe, const PhotoSize& photo) {
  const Size size = formed(recipe, photo);
  const bool grows = size.height > photo.height || size.width > photo.width;
  const bool smaller = photo.height > recipe.resize_height && photo.width > recipe.resize_width;
  if (smaller && grows) return fail(Code::kForm, size.width, size.height);
  if (size.width * size.height > kMaxFormedPixels) {
    return fail(Code::kTooLarge, size.width * size.height, kMaxFormedPixels);
  }
  recipe_ = recipe;
  photo_ = photo;
  width_ = static_cast<uint32_t>(size.width);
  height_ = static_cast<uint32_t>(size.height);
  made_ = 0;
  const bool same = width_ == photo.width && height_ == photo.height;
  way_ = same ? Way::kCopy : smaller ? Way::kArea : Way::kCubic;
  bool made = formed_.reset(3 * static_cast<size_t>(width_) * height_);
  if (made && way_ == Way::kArea) made = area_.reset(photo, height_, width_);
  if (made && way_ == Way::kCubic) {
    made = cubic_.reset(photo.height, photo.width, height_, width_, 3) &&
           line_.reset(photo.row_bytes() + 4);
  }
  return made ? Status() : fail(Code::kNoMemory);
}

Status Forming::begin(const Recipe& recipe, const PhotoSize& photo, uint32_t crops) {
  const Status status = begin_forming(recipe, photo);
  if (!status.ok()) return status;
  cut_ = {0, 0, width_, height_};
  view_height_ = recipe.height;
  view_width_ = recipe.width;
  place_views(recipe, width_, height_, crops, &views_);
  return status;
}

Status Forming::begin_cut(const Recipe& recipe, const PhotoSize& photo, uint32_t step,
                          bool mirrored, Box* cut) {
  const Status status = begin_forming(recipe, photo);
  if (!status.ok()) return status;
  const uint32_t high = recipe.height + (height_ - recipe.height) / step * step;
  const uint32_t wide = recipe.width + (width_ - recipe.width) / step * step;
  if (high != recipe.resize_height && wide != recipe.resize_width) {
    return fail(Code::kCut, wide, high);
  }
  *cut = cut_ = {(width_ - wide) / 2, (height_ - high) / 2, wide, high};
  view_height_ = high;
  view_width_ = wide;
  views_ = {};
  views_.count = 1;
  views_.mirrored = mirrored;
  return status;
}

void Forming::take(const uint8_t* pixels, uint32_t rows) {
  const size_t count = photo_.row_bytes(), pixel = photo_.pixel_bytes;
  if (way_ == Way::kArea) {
    made_ += area_.take(pixels, rows, row(made_));
    return;
  }
  for (; rows > 0; --rows, pixels += count) {
    if (way_ == Way::kCubic) {
      float* line = line_.data();
      for (size_t i = 0; i < count; ++i) line[i] = pixels[i];
      cubic_.take(line, photo_.pixel_bytes);
      while (cubic_.ready()) cubic_.make(row(made_++));
    } else {
      float* out = row(made_++);
      for (uint32_t x = 0; x < width_; ++x) {
        for (int c = 0; c < 3; ++c) out[3 * static_cast<size_t>(x) + c] = pixels[x * pixel + c];
      }
    }
  }
}

// The mean picture stretched over the cut, less each row of it.
Status Forming::subtract_picture() {
  const uint32_t depth = static_cast<uint32_t>(recipe_.channel_count());
  const uint32_t high = recipe_.resize_height, wide = recipe_.resize_width;
  const size_t given = static_cast<size_t>(wide) * depth;
  const size_t count = static_cast<size_t>(cut_.width) * depth;
  const bool same = cut_.height == high && cut_.width == wide;
  Array<float> line, mean;
  Cubic stretch;
  if (!line.reset(given + 4) || !mean.reset(count)) return fail(Code::kNoMemory);
  if (!same && !stretch.reset(high, wide, cut_.height, cut_.width, depth)) {
    return fail(Code::kNoMemory);
  }
  const uint8_t* next = recipe_.mean_picture;
  for (uint32_t y = 0; y < cut_.height; ++y) {
    while (same || !stretch.ready()) {
      read_floats(next, given, line.data());
      next += given * sizeof(float);
      if (same) break;
      stretch.take(line.data(), depth);
    }
    if (!same) stretch.make(mean.data());
    const float* less = same ? line.data() : mean.data();
    float* values = row(cut_.top + y) + 3 * static_cast<size_t>(cut_.left);
    for (size_t i = 0; i < count; ++i) values[i] -= less[i];
  }
  return Status();
}

void Forming::subtract_means() {
  const size_t depth = recipe_.channel_count();
  for (uint32_t y = 0; y < cut_.height; ++y) {
    float* values = row(cut_.top + y) + 3 * static_cast<size_t>(cut_.left);
    for (uint32_t x = 0; x < cut_.width; ++x, values += depth) {
      for (size_t c = 0; c < depth; ++c) values[c] -= recipe_.mean[c];
    }
  }
}

// A view as (channels, height, width), divided by the scale. Returns what is behind.
float* Forming::write_view(uint32_t left, uint32_t top, bool mirrored, float* out) {
  const size_t depth = recipe_.channel_count();
  for (size_t channel = 0; channel < depth; ++channel) {
    const float scale = recipe_.scale[channel];
    for (uint32_t y = 0; y < view_height_; ++y, out += view_width_) {
      const float* from =
          row(cut_.top + top + y) + 3 * static_cast<size_t>(cut_.left) + depth * left + channel;
      for (uint32_t x = 0; x < view_width_; ++x, from += depth) {
        out[mirrored ? view_width_ - 1 - x : x] = *from / scale;
      }
    }
  }
  return out;
}

Status Forming::finish(float* inputs) {
  for (uint32_t y = 0; y < cut_.height; ++y) {
    float* values = row(cut_.top + y) + 3 * static_cast<size_t>(cut_.left);
    put_in_order(recipe_.channels, values, cut_.width);
  }
  if (recipe_.mean_picture == nullptr) {
    subtract_means();
  } else {
    const Status status = subtract_picture();
    if (!status.ok()) return status;
  }
  for (int mirrored = 0; mirrored <= (views_.mirrored ? 1 : 0); ++mirrored) {
    for (uint32_t view = 0; view < views_.count; ++view) {
      inputs = write_view(views_.left[view], views_.top[view], mirrored != 0, inputs);
    }
  }
  return Status();
}

}  // namespace pocketlens
