// Copies of a value from one form to another: plain to blocked or compact, blocked to plain,
// blocked to blocked with a halo. A work item is a run of rows of one block of channels.
#include <string.h>

#include <new>

#include "base/lanes.h"
#include "run/ops.h"

namespace pocketlens {
namespace {

void fill(float* to, size_t count, float value) {
  for (size_t i = 0; i < count; ++i) to[i] = value;
}

// `count` pixels of up to 16 channels, `plane` floats apart, into rows of 16.
void gather_pixels(const float* from, size_t plane, int lanes, size_t count, float* to) {
  if (lanes < kLanes) {
    for (int lane = 0; lane < lanes; ++lane) {
      for (size_t i = 0; i < count; ++i) to[i * kLanes + lane] = from[lane * plane + i];
    }
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    for (int lane = 0; lane < kLanes; ++lane) to[i * kLanes + lane] = from[lane * plane + i];
  }
}

void scatter_pixels(const float* from, size_t plane, int lanes, size_t count, float* to) {
  for (int lane = 0; lane < lanes; ++lane) {
    float* row = to + lane * plane;
    for (size_t i = 0; i < count; ++i) row[i] = from[i * kLanes + lane];
  }
}

class Convert final : public Step {
 public:
  Convert(const Shape& shape, Form from, Form to, float value)
      : pictures_(pictures_of(shape)), from_(from), to_(to), value_(value) {
    height_ = pictures_.height + to.halo.top + to.halo.bottom;
    width_ = pictures_.width + to.halo.left + to.halo.right;
    const size_t row = static_cast<size_t>(width_) * kLanes;
    rows_per_item_ = static_cast<int32_t>(row >= kChunk ? 1 : kChunk / row);
  }

  size_t items(size_t) const override {
    return static_cast<size_t>(pictures_.images) * groups() * items_per_group();
  }

  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const float* from = frame.at(reads[0]);
    float* to = frame.at(writes);
    for (size_t item = begin; item < end; ++item) {
      const size_t group = item / items_per_group();
      const int32_t first = static_cast<int32_t>(item % items_per_group()) * rows_per_item_;
      const int32_t last = first + rows_per_item_ < height_ ? first + rows_per_item_ : height_;
      for (int32_t y = first; y < last; ++y) {
        if (to_.layout == Layout::kCompact) {
          compact_row(from, to, static_cast<int32_t>(group), y);
        } else if (to_.layout == Layout::kPlain) {
          plain_row(from, to, group, y);
        } else {
          blocked_row(from, to, group, y);
        }
      }
    }
  }

 private:
  // Blocks of channels of an image; a compact picture is one.
  size_t groups() const {
    return to_.layout == Layout::kCompact ? 1 : static_cast<size_t>(pictures_.blocks());
  }
  size_t items_per_group() const {
    return (static_cast<size_t>(height_) + rows_per_item_ - 1) / rows_per_item_;
  }
  int lanes(size_t block) const {
    const int64_t left = pictures_.channels - static_cast<int64_t>(block) * kLanes;
    return static_cast<int>(left < kLanes ? left : kLanes);
  }
  size_t pixels() const { return static_cast<size_t>(pictures_.pixels()); }

  // Where the first channel of a block stands in a plain array.
  size_t plain_place(size_t group) const {
    const size_t image = group / static_cast<size_t>(pictures_.blocks());
    const size_t block = group % static_cast<size_t>(pictures_.blocks());
    return (image * static_cast<size_t>(pictures_.channels) + block * kLanes) * pixels();
  }

  void blocked_row(const float* from, float* to, size_t group, int32_t y) const {
    const size_t row = static_cast<size_t>(width_) * kLanes;
    float* out = to + (group * static_cast<size_t>(height_) + static_cast<size_t>(y)) * row;
    const int32_t in_y = y - to_.halo.top;
    if (in_y < 0 || in_y >= pictures_.height) return fill(out, row, value_);
    const size_t left = static_cast<size_t>(to_.halo.left) * kLanes;
    const size_t width = static_cast<size_t>(pictures_.width);
    fill(out, left, value_);
    const size_t in_row = static_cast<size_t>(in_y) * width;
    if (from_.layout == Layout::kBlocked) {
      memcpy(out + left, from + (group * pixels() + in_row) * kLanes,
             width * kLanes * sizeof(float));
    } else {
      const int n = lanes(group % static_cast<size_t>(pictures_.blocks()));
      gather_pixels(from + plain_place(group) + in_row, pixels(), n, width, out + left);
    }
    fill(out + left + width * kLanes, row - left - width * kLanes, value_);
  }

  void plain_row(const float* from, float* to, size_t group, int32_t y) const {
    const size_t width = static_cast<size_t>(pictures_.width);
    const size_t in_row = static_cast<size_t>(y) * width;
    const int n = lanes(group % static_cast<size_t>(pictures_.blocks()));
    scatter_pixels(from + (group * pixels() + in_row) * kLanes, pixels(), n, width,
                   to + plain_place(group) + in_row);
  }

  void compact_row(const float* from, float* to, int32_t image, int32_t y) const {
    const size_t channels = static_cast<size_t>(pictures_.channels);
    const size_t row = static_cast<size_t>(width_) * channels;
    float* out = to + (static_cast<size_t>(image) * height_ + static_cast<size_t>(y)) * row;
    const int32_t in_y = y - to_.halo.top;
    if (in_y < 0 || in_y >= pictures_.height) return fill(out, row, value_);
    const size_t left = static_cast<size_t>(to_.halo.left) * channels;
    const size_t width = static_cast<size_t>(pictures_.width);
    fill(out, left, value_);
    const float* in =
        from + static_cast<size_t>(image) * channels * pixels() + static_cast<size_t>(in_y) * width;
    if (channels == 3) {
      interleave_three(in, pixels(), width, out + left);
    } else {
      for (size_t c = 0; c < channels; ++c) {
        for (size_t x = 0; x < width; ++x) out[left + x * channels + c] = in[c * pixels() + x];
      }
    }
    fill(out + left + width * channels, row - left - width * channels, value_);
  }

  Pictures pictures_;
  Form from_, to_;
  float value_;
  int32_t height_, width_, rows_per_item_;
};

}  // namespace

Step* new_convert(const Shape& shape, int32_t from, Form from_form, int32_t to, Form to_form,
                  float fill) {
  Convert* step = new (std::nothrow) Convert(shape, from_form, to_form, fill);
  if (step == nullptr || !step->reads.push(from)) {
    delete step;
    return nullptr;
  }
  step->writes = to;
  return step;
}

}  // namespace pocketlens
