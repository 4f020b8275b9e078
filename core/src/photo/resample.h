// A part of a photo at another size, from rows that come one after the other.
#ifndef POCKETLENS_PHOTO_RESAMPLE_H
#define POCKETLENS_PHOTO_RESAMPLE_H

#include <stdint.h>

#include "base/array.h"
#include "photo/recipe.h"
#include "photo/taps.h"

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

// The pixels of a box of the photo resized to `width` x `height`; nothing else is computed. First
// along rows, then along columns, rounded to bytes after each: Pillow's bytes, as it did before
// version 13.
class Resample {
 public:
  // False where there is no memory.
  [[nodiscard]] bool reset(const PhotoSize& photo, Filter filter, uint32_t width, uint32_t height,
                           Box box);

  // Takes the photo's next rows, from the top.
  void take(const uint8_t* pixels, uint32_t rows);

  // What has become of all rows. False where there is no memory.
  [[nodiscard]] bool finish(Pixels* out);

 private:
  PhotoSize photo_ = {};
  Box box_ = {};
  Taps across_, down_;
  uint32_t next_ = 0;   // the row of the photo that comes next
  Pixels shorter_;      // rows that count, at their new width
  Array<uint8_t> row_;  // with room behind its last pixel
};

}  // namespace pocketlens

#endif
