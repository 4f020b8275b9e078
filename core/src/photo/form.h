// From the pixels of a photo to the input of a network of ccv's: formed, cut, minus the mean, all
// in floats (docs/format/lens.md, "The recipe of ccv"; src/pocketlens/images/ccv.py is the same).
#ifndef POCKETLENS_PHOTO_FORM_H
#define POCKETLENS_PHOTO_FORM_H

#include <stdint.h>

#include "base/array.h"
#include "base/status.h"
#include "photo/area.h"
#include "photo/cubic.h"
#include "photo/recipe.h"
#include "photo/resample.h"
#include "photo/views.h"

namespace pocketlens {

class Forming {
 public:
  // Recipe, photo and crops hold together already. crops: 1, 5 or 10, patches out of all of the
  // formed photo. Fails with kForm, kTooLarge.
  Status begin(const Recipe& recipe, const PhotoSize& photo, uint32_t crops);

  // As one picture, of which the patch and as many steps as fit are left, and mirrored as well.
  // `cut` becomes what is left, of the formed photo. Fails with kCut, too.
  Status begin_cut(const Recipe& recipe, const PhotoSize& photo, uint32_t step, bool mirrored,
                   Box* cut);

  // Takes the photo's next rows, from the top; no more than it has.
  void take(const uint8_t* pixels, uint32_t rows);

  // Once all rows are there. The recipe's mean picture is read.
  Status finish(float* inputs);

 private:
  enum class Way { kCopy, kArea, kCubic };

  Status begin_forming(const Recipe& recipe, const PhotoSize& photo);
  float* row(size_t y) { return formed_.data() + 3 * y * width_; }
  Status subtract_picture();
  void subtract_means();
  float* write_view(uint32_t left, uint32_t top, bool mirrored, float* out);

  Recipe recipe_ = {};
  PhotoSize photo_ = {};
  Way way_ = Way::kCopy;
  uint32_t height_ = 0, width_ = 0;  // of the formed photo
  uint32_t made_ = 0;                // rows of it
  Array<float> formed_;  // red, green, blue; later the recipe's channels, minus the mean
  Area area_;
  Cubic cubic_;
  Array<float> line_;  // a row of the photo for the cubic
  Box cut_ = {};
  Views views_ = {};  // of the cut
  uint32_t view_height_ = 0, view_width_ = 0;
};

}  // namespace pocketlens

#endif
