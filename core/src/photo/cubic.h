// Keys's cubic with a = -0.75, as ccv enlarges pictures and stretches its mean picture: four taps
// an axis, never widened, in floats whose overshoot is kept.
#ifndef POCKETLENS_PHOTO_CUBIC_H
#define POCKETLENS_PHOTO_CUBIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"

namespace pocketlens {

// What a new value is made of: four old ones, the first and the last of a line perhaps repeated.
struct CubicTaps {
  uint32_t places[4];
  float weights[4];
};

// Of new value `number` of a line of `from` values that is made `to` long.
CubicTaps cubic_taps(uint32_t number, uint32_t from, uint32_t to);

// A picture at another size, row by row: feed it old rows while it is not ready.
class Cubic {
 public:
  // depth: floats that count of a pixel, at most 4. False where there is no memory.
  [[nodiscard]] bool reset(uint32_t from_height, uint32_t from_width, uint32_t height,
                           uint32_t width, uint32_t depth);

  // Takes the next row, from the top, whose pixels start every `stride` floats; four floats may be
  // read of each.
  void take(const float* row, uint32_t stride);

  // Whether the next new row can be made.
  bool ready() const { return made_ < height_ && seen_ > taps_.places[3]; }

  // Makes it: width x depth floats.
  void make(float* out);

 private:
  float* kept(uint32_t row) { return rows_.data() + (row % 4) * pitch_; }

  uint32_t from_height_ = 0, height_ = 0, width_ = 0, depth_ = 0;
  uint32_t seen_ = 0, made_ = 0;  // rows
  CubicTaps taps_ = {};           // of the row that is made next
  size_t pitch_ = 0;
  Array<CubicTaps> across_;
  Array<float> rows_;  // the last four old ones, at their new width
};

}  // namespace pocketlens

#endif
