// Copies of a value to a form in bfloat16, which a conv2d reads (run/builder.h tells of the form).
// A work item is a run of rows of one block of channels.
#include <string.h>

#include <new>

#include "base/lanes.h"
#include "run/ops.h"

namespace pocketlens {
namespace {

class Round final : public Step {
 public:
  Round(const Shape& shape, Form from, Form to)
      : pictures_(pictures_of(shape)), from_(from), to_(to) {
    height_ = pictures_.height + to.halo.top + to.halo.bottom;
    row_ = static_cast<size_t>(row_values(pictures_, to));
    pixel_ = to.layout == Layout::kCompact ? static_cast<size_t>(to.pixel) : kLanes;
    rows_per_item_ = static_cast<int32_t>(row_ >= kChunk ? 1 : kChunk / row_);
  }

  size_t items(size_t) const override {
    return static_cast<size_t>(pictures_.images) * blocks() * items_per_block();
  }

  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const float* from = frame.at(reads[0]);
    uint16_t* to = reinterpret_cast<uint16_t*>(frame.at(writes));
    for (size_t item = begin; item < end; ++item) {
      const size_t block = item / items_per_block();
      const int32_t first = static_cast<int32_t>(item % items_per_block()) * rows_per_item_;
      const int32_t last = first + rows_per_item_ < height_ ? first + rows_per_item_ : height_;
      for (int32_t y = first; y < last; ++y) {
        uint16_t* out = to + (block * static_cast<size_t>(height_) + static_cast<size_t>(y)) * row_;
        write_row(*frame.kernels, from, block, y - to_.halo.top, out);
      }
    }
  }

 private:
  static constexpr size_t kPart = 64;  // pixels gathered at a time

  // Of an image; a compact picture is one.
  size_t blocks() const {
    return to_.layout == Layout::kCompact ? 1 : static_cast<size_t>(pictures_.blocks());
  }
  size_t items_per_block() const {
    return (static_cast<size_t>(height_) + rows_per_item_ - 1) / rows_per_item_;
  }
  size_t pixels() const { return static_cast<size_t>(pictures_.pixels()); }

  // Channels of block `block`, counted over all images.
  size_t lanes(size_t block) const {
    const size_t left = static_cast<size_t>(pictures_.channels) - block % blocks() * kLanes;
    return left < kLanes ? left : kLanes;
  }

  void write_row(const KernelTable& kernels, const float* from, size_t block, int32_t y,
                 uint16_t* out) const {
    if (y < 0 || y >= pictures_.height) {
      memset(out, 0, row_ * sizeof *out);
      return;
    }
    const size_t left = static_cast<size_t>(to_.halo.left) * pixel_;
    const size_t values = static_cast<size_t>(pictures_.width) * pixel_;
    const size_t first = static_cast<size_t>(y) * static_cast<size_t>(pictures_.width);
    memset(out, 0, left * sizeof *out);
    if (from_.bf16) {
      const uint16_t* rounded = reinterpret_cast<const uint16_t*>(from);
      memcpy(out + left, rounded + (block * pixels() + first) * kLanes, values * sizeof *out);
    } else if (from_.layout == Layout::kBlocked && to_.layout == Layout::kBlocked) {
      round_blocked(kernels, from + (block * pixels() + first) * kLanes, lanes(block), out + left);
    } else {
      round_plain(kernels, from, block, first, out + left);
    }
    memset(out + left + values, 0, (row_ - left - values) * sizeof *out);
  }

  // The lane beside the last channel is read with it.
  void round_blocked(const KernelTable& kernels, const float* from, size_t lanes,
                     uint16_t* out) const {
    const size_t width = static_cast<size_t>(pictures_.width);
    kernels.round_to_bf16(from, out, width * kLanes);
    for (size_t x = 0; lanes % 2 == 1 && x < width; ++x) out[x * kLanes + lanes] = 0;
  }

  // A row from pixel `first` of a plain array on.
  void round_plain(const KernelTable& kernels, const float* from, size_t block, size_t first,
                   uint16_t* out) const {
    const size_t image = block / blocks(), channels = static_cast<size_t>(pictures_.channels);
    const float* plane = from + (image * channels + block % blocks() * kLanes) * pixels() + first;
    const size_t width = static_cast<size_t>(pictures_.width);
    alignas(64) float part[kPart * kLanes] = {};
    for (size_t x = 0; x < width; x += kPart) {
      const size_t count = width - x < kPart ? width - x : kPart;
      if (pixel_ == 3) {
        interleave_three(plane + x, pixels(), count, part);
      } else {
        for (size_t lane = 0; lane < lanes(block); ++lane) {
          const float* in = plane + lane * pixels() + x;
          for (size_t i = 0; i < count; ++i) part[i * pixel_ + lane] = in[i];
        }
      }
      kernels.round_to_bf16(part, out + x * pixel_, count * pixel_);
    }
  }

  Pictures pictures_;
  Form from_, to_;
  size_t row_, pixel_;
  int32_t height_, rows_per_item_;
};

}  // namespace

Step* new_round(const Shape& shape, int32_t from, Form from_form, int32_t to, Form to_form) {
  Round* step = new (std::nothrow) Round(shape, from_form, to_form);
  if (step == nullptr || !step->reads.push(from)) {
    delete step;
    return nullptr;
  }
  step->writes = to;
  return step;
}

}  // namespace pocketlens
