#include "photo/views.h"

namespace pocketlens {
namespace {

struct Size {
  uint64_t width, height;
};

// In the proportion of 256 to 224, and at least a pixel more on both sides.
uint64_t larger(uint64_t side) {
  const uint64_t made = side * 8 / 7;
  return made > side + 2 ? made : side + 2;
}

// The size that covers the crop, aspect ratio kept, for a photo that is smaller.
Size covering(const Recipe& recipe, Size photo) {
  if (photo.width >= recipe.width && photo.height >= recipe.height) return photo;
  if (recipe.width * photo.height >= recipe.height * photo.width) {  // the width lacks more
    return {recipe.width, (photo.height * recipe.width + photo.width - 1) / photo.width};
  }
  return {(photo.width * recipe.height + photo.height - 1) / photo.height, recipe.height};
}

Size resized(const Recipe& recipe, Size photo, bool with_room) {
  const uint64_t high = with_room ? larger(recipe.resize_height) : recipe.resize_height;
  const uint64_t wide = with_room ? larger(recipe.resize_width) : recipe.resize_width;
  switch (recipe.resize) {
    case Resize::kExact:
      return {wide, high};
    case Resize::kShorter:
      if (photo.width <= photo.height) return {high, high * photo.height / photo.width};
      return {high * photo.width / photo.height, high};
    case Resize::kNone:
    case Resize::kCcv:  // form.cc's
      break;
  }
  const Size made = covering(recipe, photo);
  const bool lacks = made.width <= recipe.width || made.height <= recipe.height;
  return with_room && lacks ? Size{larger(made.width), larger(made.height)} : made;
}

}  // namespace

Status lay_views(const Recipe& recipe, uint32_t width, uint32_t height, uint32_t crops,
                 Views* views) {
  const bool tight = recipe.resize == Resize::kNone || recipe.resize_height <= recipe.height ||
                     recipe.resize_width <= recipe.width;
  const Size size = resized(recipe, {width, height}, crops > 1 && tight);
  if (size.width * size.height > kMaxResizedPixels) {
    return fail(Code::kTooLarge, size.width * size.height, kMaxResizedPixels);
  }
  place_views(recipe, static_cast<uint32_t>(size.width), static_cast<uint32_t>(size.height), crops,
              views);
  return Status();
}

void place_views(const Recipe& recipe, uint32_t width, uint32_t height, uint32_t crops,
                 Views* views) {
  views->width = width;
  views->height = height;
  const uint32_t right = views->width - recipe.width, bottom = views->height - recipe.height;
  const uint32_t left[] = {0, right, 0, right, right / 2};
  const uint32_t top[] = {0, 0, bottom, bottom, bottom / 2};
  views->count = crops == 1 ? 1 : 5;
  views->mirrored = crops == 10;
  for (uint32_t i = 0; i < views->count; ++i) {
    views->left[i] = left[5 - views->count + i];
    views->top[i] = top[5 - views->count + i];
  }
}

}  // namespace pocketlens
