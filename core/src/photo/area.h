// The exact box average of a photo, as ccv shrinks pictures, from rows that come one after the
// other: a source cell weighs what of it lies in the new one. Nothing is rounded to bytes.
#ifndef POCKETLENS_PHOTO_AREA_H
#define POCKETLENS_PHOTO_AREA_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "photo/recipe.h"

namespace pocketlens {

// The edges between the new cells of an axis, one after the other: the first lies at 0, each at
// `cell` and `part` / `to` old cells. New cells are no smaller than old ones.
class Edges {
 public:
  Edges() = default;
  Edges(uint32_t from, uint32_t to) : to_(to), step_(from / to), rest_(from % to) {}

  uint32_t cell() const { return cell_; }
  uint32_t part() const { return part_; }
  void advance() {
    cell_ += step_;
    part_ += rest_;
    if (part_ < to_) return;
    part_ -= to_;
    ++cell_;
  }

 private:
  uint32_t to_ = 1, step_ = 0, rest_ = 0;
  uint32_t cell_ = 0, part_ = 0;
};

class Area {
 public:
  // height and width are no larger than the photo's. False where there is no memory.
  [[nodiscard]] bool reset(const PhotoSize& photo, uint32_t height, uint32_t width);

  // Takes the photo's next rows, from the top. New rows, of red, green and blue floats, are written
  // one behind the other from `out` on. Returns how many.
  uint32_t take(const uint8_t* pixels, uint32_t rows, float* out);

 private:
  void add_rows(const uint8_t* pixels, uint32_t rows);
  void add_sums();
  void finish_row(float* out);

  PhotoSize photo_ = {};
  uint32_t height_ = 0, width_ = 0;
  uint32_t next_ = 0;     // the row of the photo that comes next
  Edges bottom_;          // of the new row that is being made
  uint32_t held_ = 0;     // rows in sums_
  Array<uint16_t> sums_;  // of bytes of whole rows
  Array<float> line_;     // of all else that came of the new row, with room behind
};

}  // namespace pocketlens

#endif
