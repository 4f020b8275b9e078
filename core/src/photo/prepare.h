// From the pixels of a photo to the network's input: resize, crop, order of channels, scale.
#ifndef POCKETLENS_PHOTO_PREPARE_H
#define POCKETLENS_PHOTO_PREPARE_H

#include <stdint.h>

#include "base/status.h"
#include "photo/recipe.h"

namespace pocketlens {

// What is wrong with a recipe, a photo or a number of crops; ok where nothing is.
Status check_photo(const Recipe& recipe, const Photo& photo, uint32_t crops);

// inputs: crops x (channels, height, width). What check_photo() found right.
Status prepare(const Recipe& recipe, const Photo& photo, uint32_t crops, float* inputs);

}  // namespace pocketlens

#endif
