// Which views of a photo the network sees (src/pocketlens/images/crops.py says where exactly).
#ifndef POCKETLENS_PHOTO_VIEWS_H
#define POCKETLENS_PHOTO_VIEWS_H

#include <stdint.h>

#include "base/status.h"
#include "photo/recipe.h"

namespace pocketlens {

// The size to which a photo is resized, and where in it the views begin; the second half of ten
// views are the first ones, mirrored.
struct Views {
  uint32_t width, height;  // of the resized photo
  uint32_t count;          // places: 1 or 5
  uint32_t left[5], top[5];
  bool mirrored;
};

// crops: 1, 5 or 10. Fails where the resized photo would be larger than kMaxResizedPixels.
Status lay_views(const Recipe& recipe, uint32_t width, uint32_t height, uint32_t crops,
                 Views* views);

// The same within a picture of that size, which is no smaller than the crop.
void place_views(const Recipe& recipe, uint32_t width, uint32_t height, uint32_t crops,
                 Views* views);

}  // namespace pocketlens

#endif
