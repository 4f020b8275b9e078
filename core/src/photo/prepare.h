// From the pixels of a photo to the network's input: resize, crop, order of channels, scale.
#ifndef POCKETLENS_PHOTO_PREPARE_H
#define POCKETLENS_PHOTO_PREPARE_H

#include <stdint.h>

#include "base/status.h"
#include "photo/form.h"
#include "photo/recipe.h"
#include "photo/resample.h"
#include "photo/views.h"

namespace pocketlens {

class Prepare {
 public:
  // crops: 1, 5 or 10. Judges all three; the mean picture is read by finish().
  Status begin(const Recipe& recipe, const PhotoSize& photo, uint32_t crops);

  // Of a recipe of kCcv: what its networks slide over, as Forming::begin_cut has it.
  Status begin_cut(const Recipe& recipe, const PhotoSize& photo, uint32_t step, bool mirrored,
                   Box* cut);

  // Takes the photo's next rows, from the top.
  Status take(const uint8_t* pixels, uint32_t rows);

  // Once all rows are there. inputs: crops x (channels, height, width), or of the cut and perhaps
  // its mirror image.
  Status finish(float* inputs);

 private:
  Recipe recipe_ = {};
  Views views_ = {};
  Box box_ = {};          // of the resized photo: what views need of it
  uint32_t missing_ = 0;  // rows
  Resample resample_;
  Forming forming_;  // in its place for kCcv
};

}  // namespace pocketlens

#endif
