#include "photo/prepare.h"

#include "kernels/half.h"

namespace pocketlens {
namespace {

// ITU-R BT.601 luma in 16 bits behind the point, as Pillow has it.
uint8_t luma(const uint8_t* pixel) {
  return static_cast<uint8_t>(
      (pixel[0] * 19595u + pixel[1] * 38470u + pixel[2] * 7471u + 0x8000u) >> 16);
}

uint8_t channel_of(const uint8_t* pixel, Channels channels, size_t channel) {
  if (channels == Channels::kGray) return luma(pixel);
  return pixel[channels == Channels::kBgr ? 2 - channel : channel];
}

float half_at(const uint8_t* halves, size_t number) {
  const uint8_t* at = halves + 2 * number;
  return half_to_float(static_cast<uint16_t>(at[0] | at[1] << 8));
}

// One channel of a view: (pixel - mean) / scale, each rounded as a float. Returns what is behind.
float* write_channel(const Recipe& recipe, const Pixels& pixels, size_t left, size_t top,
                     bool mirrored, size_t channel, float* out) {
  const float mean = recipe.mean[channel], scale = recipe.scale[channel];
  const size_t before = channel * recipe.height * recipe.width;
  for (size_t y = 0; y < recipe.height; ++y) {
    const uint8_t* row = pixels.row(top + y) + 3 * left;
    for (size_t x = 0; x < recipe.width; ++x, ++out) {
      const size_t from = mirrored ? recipe.width - 1 - x : x;
      const float value = channel_of(row + 3 * from, recipe.channels, channel);
      const float less = recipe.mean_picture == nullptr
                             ? mean
                             : half_at(recipe.mean_picture, before + y * recipe.width + x);
      *out = (value - less) / scale;
    }
  }
  return out;
}

bool is_side(uint32_t side) { return side >= 1 && side <= kMaxSide; }

// The number of the first field of the recipe that is wrong, from 1; 0 where none is.
uint32_t wrong_field(const Recipe& recipe) {
  if (recipe.resize > Resize::kCcv) return 1;
  const bool resizes = recipe.resize != Resize::kNone;
  if (!is_side(recipe.height)) return 5;
  if (!is_side(recipe.width)) return 6;
  if (resizes && (!is_side(recipe.resize_height) || recipe.resize_height < recipe.height)) return 2;
  if (resizes && (!is_side(recipe.resize_width) || recipe.resize_width < recipe.width)) return 3;
  if (recipe.resize == Resize::kShorter && recipe.resize_width != recipe.resize_height) return 3;
  if (recipe.filter > Filter::kLanczos) return 4;
  if (recipe.channels > Channels::kGray) return 7;
  for (size_t c = 0; c < recipe.channel_count(); ++c) {
    if (!(recipe.mean[c] - recipe.mean[c] == 0)) return 8;  // not finite
    if (!(recipe.scale[c] - recipe.scale[c] == 0) || recipe.scale[c] == 0) return 9;
  }
  return 0;
}

// What is wrong with a recipe, a photo or a number of crops; ok where nothing is.
Status judge(const Recipe& recipe, const PhotoSize& photo, uint32_t crops) {
  const uint32_t field = wrong_field(recipe);
  if (field != 0) return fail(Code::kRecipe, field);
  constexpr uint64_t kMost = uint64_t{1} << 28;
  if (crops != 1 && crops != 5 && crops != 10) return fail(Code::kBadArgument, crops, 10);
  if (photo.pixel_bytes != 3 && photo.pixel_bytes != 4) {
    return fail(Code::kBadArgument, photo.pixel_bytes, 4);
  }
  const uint64_t pixels = uint64_t{photo.width} * photo.height;
  if (pixels == 0) return fail(Code::kBadArgument, 0, 1);
  return pixels > kMost ? fail(Code::kTooLarge, pixels, kMost) : Status();
}

}  // namespace

Status Prepare::begin(const Recipe& recipe, const PhotoSize& photo, uint32_t crops) {
  Status status = judge(recipe, photo, crops);
  if (!status.ok()) return status;
  recipe_ = recipe;
  missing_ = photo.height;
  if (recipe.resize == Resize::kCcv) return forming_.begin(recipe, photo, crops);
  status = lay_views(recipe, photo.width, photo.height, crops, &views_);
  if (!status.ok()) return status;
  // Of a single view only its own pixels are made; several ones reach into all corners.
  box_ = views_.count == 1 ? Box{views_.left[0], views_.top[0], recipe.width, recipe.height}
                           : Box{0, 0, views_.width, views_.height};
  const bool made = resample_.reset(photo, recipe.filter, views_.width, views_.height, box_);
  return made ? status : fail(Code::kNoMemory);
}

Status Prepare::begin_cut(const Recipe& recipe, const PhotoSize& photo, uint32_t step,
                          bool mirrored, Box* cut) {
  const Status status = judge(recipe, photo, 1);
  if (!status.ok()) return status;
  if (recipe.resize != Resize::kCcv) return fail(Code::kRecipe, 1);
  if (step == 0) return fail(Code::kBadArgument, 0, 1);
  recipe_ = recipe;
  missing_ = photo.height;
  return forming_.begin_cut(recipe, photo, step, mirrored, cut);
}

Status Prepare::take(const uint8_t* pixels, uint32_t rows) {
  if (rows > missing_) return fail(Code::kBadArgument, rows, missing_);
  missing_ -= rows;
  if (recipe_.resize == Resize::kCcv) {
    forming_.take(pixels, rows);
  } else {
    resample_.take(pixels, rows);
  }
  return Status();
}

Status Prepare::finish(float* inputs) {
  if (missing_ != 0) return fail(Code::kNotReady, missing_, 0);
  if (recipe_.resize == Resize::kCcv) return forming_.finish(inputs);
  Pixels pixels;
  if (!resample_.finish(&pixels)) return fail(Code::kNoMemory);
  for (int mirrored = 0; mirrored <= (views_.mirrored ? 1 : 0); ++mirrored) {
    for (uint32_t view = 0; view < views_.count; ++view) {
      const size_t left = views_.left[view] - box_.left, top = views_.top[view] - box_.top;
      for (size_t channel = 0; channel < recipe_.channel_count(); ++channel) {
        inputs = write_channel(recipe_, pixels, left, top, mirrored != 0, channel, inputs);
      }
    }
  }
  return Status();
}

}  // namespace pocketlens
