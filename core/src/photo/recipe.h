// How a photo becomes the network's input, and its size: plain values (docs/format/lens.md has the
// same fields, and src/pocketlens/images says what they mean).
#ifndef POCKETLENS_PHOTO_RECIPE_H
#define POCKETLENS_PHOTO_RECIPE_H

#include <stddef.h>
#include <stdint.h>

namespace pocketlens {

enum class Resize : uint32_t { kNone, kExact, kShorter, kCcv };
enum class Filter : uint32_t { kNearest, kBilinear, kBicubic, kBox, kHamming, kLanczos };
enum class Channels : uint32_t { kRgb, kBgr, kGray };

// One side of a picture or of an input.
constexpr uint32_t kMaxSide = 8192;
// The largest picture that a resize may make.
constexpr uint64_t kMaxResizedPixels = uint64_t{1} << 26;
// The same for floats, of which ccv's pictures are.
constexpr uint64_t kMaxFormedPixels = uint64_t{1} << 24;

struct Recipe {
  Resize resize;
  uint32_t resize_height, resize_width;
  Filter filter;
  uint32_t height, width;  // of the crop, and so of the input
  Channels channels;
  float mean[3], scale[3];  // one a channel, in the input's order
  // Null, or a half (little-endian) for every value of the input; of kCcv a float for every value
  // of resize_height x resize_width pixels, channels side by side.
  const uint8_t* mean_picture;

  size_t channel_count() const { return channels == Channels::kGray ? 1 : 3; }
};

// Rows of interleaved bytes, red first; a fourth byte of a pixel is not looked at.
struct PhotoSize {
  uint32_t width, height;
  uint32_t pixel_bytes;  // 3 or 4

  size_t row_bytes() const { return static_cast<size_t>(width) * pixel_bytes; }
};

}  // namespace pocketlens

#endif
