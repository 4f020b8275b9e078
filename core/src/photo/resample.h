// A part of a photo at another size.
#ifndef POCKETLENS_PHOTO_RESAMPLE_H
#define POCKETLENS_PHOTO_RESAMPLE_H

#include <stdint.h>

#include "base/array.h"
#include "photo/recipe.h"

namespace pocketlens {

// A rectangle of the resized photo.
struct Box {
  uint32_t left, top, width, height;
};

// Interleaved bytes red, green, blue; rows start every stride() bytes.
class Pixels {
 public:
  [[nodiscard]] bool reset(uint32_t width, uint32_t height);

  uint8_t* row(size_t y) { return memory_.data() + y * stride_; }
  const uint8_t* row(size_t y) const { return memory_.data() + y * stride_; }
  size_t stride() const { return stride_; }

 private:
  Memory memory_;
  size_t stride_ = 0;
};

// The pixels of `box` of the photo resized to `width` x `height`; nothing else is computed. First
// along rows, then along columns, rounded to bytes after each: Pillow's bytes, as it did before
// version 13. False where there is no memory.
[[nodiscard]] bool resample(const Photo& photo, Filter filter, uint32_t width, uint32_t height,
                            Box box, Pixels* out);

}  // namespace pocketlens

#endif
