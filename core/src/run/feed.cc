// Bands of planes come in (run/weights.h): judged, then put where their tensors' panels want them.
#include <string.h>

#include "base/bytes.h"
#include "base/trellis.h"
#include "run/scanlines.h"
#include "run/weights.h"

namespace pocketlens {
namespace {

constexpr uint32_t kChunk = 2048;  // pixels at a time

// The largest of `count` pixels of a band, from pixel `first` of the band.
uint32_t largest_pixel(const BandRows& band, const Plane& plane, uint64_t first, uint64_t count) {
  uint8_t pixels[kChunk];
  PixelReader reader(band.rows, plane.width, plane.bits, first);
  uint32_t largest = 0;
  while (count > 0) {
    const uint32_t taken = reader.take(count < kChunk ? count : kChunk, pixels);
    for (uint32_t i = 0; i < taken; ++i) largest = pixels[i] > largest ? pixels[i] : largest;
    count -= taken;
  }
  return largest;
}

// Pixels after number `end` of the plane belong to no index; they are 0.
Status judge_rest(const BandRows& band, const Plane& plane, uint64_t end) {
  const uint64_t first = end > band.first_pixel ? end - band.first_pixel : 0;
  if (first >= band.pixels) return {};
  const uint32_t largest = largest_pixel(band, plane, first, band.pixels - first);
  return largest == 0 ? Status{} : fail(Code::kBandIndex, largest, 1);
}

// Bits between the last pixel of a row and the end of its last byte are 0.
Status judge_padding(const uint8_t* rows, uint32_t count, const Plane& plane) {
  const uint64_t bytes = plane.row_bytes();
  const uint64_t unused = bytes * 8 - uint64_t{plane.width} * plane.bits;
  for (uint32_t r = 0; unused > 0 && r < count; ++r) {
    const uint32_t rest = rows[(r + 1) * (bytes + 1) - 1] & ((1u << unused) - 1);
    if (rest != 0) return fail(Code::kBandIndex, rest, 1);
  }
  return {};
}

// The part of a tensor's pixels that is in a band.
struct Run {
  uint64_t first;   // pixel of the band
  uint64_t weight;  // that it belongs to
  uint64_t count;
};

Run run_in(const BandRows& band, const Tensor& tensor) {
  const uint64_t begin = tensor.first_pixel, end = begin + tensor.weights();
  const uint64_t band_end = band.first_pixel + band.pixels;
  const uint64_t from = begin > band.first_pixel ? begin : band.first_pixel;
  const uint64_t to = end < band_end ? end : band_end;
  if (from >= to) return {0, 0, 0};
  return {from - band.first_pixel, from - begin, to - from};
}

// Indices of an output from its weight `within` on, into its row of a panel.
void place(const PanelOrder& order, uint32_t within, const uint8_t* indices, uint64_t count,
           uint8_t* row) {
  if (order.is_plain()) {
    memcpy(row + within, indices, count);
    return;
  }
  uint32_t channel = within / order.window(), tap = within % order.window();
  for (uint64_t i = 0; i < count; ++i) {
    row[order.place(channel, tap)] = indices[i];
    if (++tap < order.window()) continue;
    tap = 0;
    ++channel;
  }
}

}  // namespace

Status WeightStore::feed(uint32_t number, uint32_t band, uint8_t* rows, size_t row_bytes) {
  if (out_of_memory_) return fail(Code::kNoMemory);
  if (number >= planes_.size()) return fail(Code::kBandNumber, band, 0);
  PlaneFeed& feed = planes_[number];
  const Plane& plane = feed.plane;
  const uint32_t tensor = readers_[plane.first_reader];
  if (band >= plane.bands) return fail_tensor(Code::kBandNumber, tensor, band, plane.bands);
  if (feed.fed[band]) return fail_tensor(Code::kBandTwice, tensor, band);
  const uint32_t first_row = band * plane.band_rows;
  const uint32_t left = plane.rows - first_row;
  const uint32_t count = left < plane.band_rows ? left : plane.band_rows;
  const uint64_t stride = 1 + plane.row_bytes();
  if (row_bytes != stride * count) {
    return fail_tensor(Code::kBandSize, tensor, row_bytes, stride * count);
  }
  const int64_t bad_row = undo_filters(rows, count, static_cast<size_t>(stride - 1));
  if (bad_row >= 0) return fail_tensor(Code::kBandFilter, tensor, static_cast<uint64_t>(bad_row));
  const Status padding = judge_padding(rows, count, plane);
  if (!padding.ok()) return fail_tensor(padding.code, tensor, padding.seen, padding.expected);
  // Marked first: a mask whose last band does not fit takes all marks back.
  feed.fed[band] = 1;
  --feed.bands_left;
  --bands_left_;
  const Status status =
      take_band(&feed, {rows, uint64_t{first_row} * plane.width, uint64_t{count} * plane.width});
  out_of_memory_ = status.code == Code::kNoMemory;
  if (!status.ok() && feed.fed[band]) {
    feed.fed[band] = 0;
    ++feed.bands_left;
    ++bands_left_;
  }
  return status;
}

Status WeightStore::take_band(PlaneFeed* feed, const BandRows& band) {
  const uint32_t number = readers_[feed->plane.first_reader];
  PackedTensor& packed = tensors_[number];
  if (!packed.tensor.masked()) return place_runs(*feed, band);
  Status status =
      feed->plane.is_mask ? take_mask(feed, &packed, band) : place_masked(*feed, &packed, band);
  if (!status.ok()) status.tensor = static_cast<int32_t>(number);
  return status;
}

Status WeightStore::take_mask(PlaneFeed* feed, PackedTensor* packed, const BandRows& band) {
  const Plane& plane = feed->plane;
  const uint64_t weights = packed->tensor.weights();
  const Status status = judge_rest(band, plane, weights);
  if (!status.ok()) return status;
  if (packed->mask.empty() && !packed->mask.reset(weights)) return fail(Code::kNoMemory);
  const uint64_t stride = 1 + plane.row_bytes();
  for (uint64_t at = 0; at < band.pixels && band.first_pixel + at < weights; at += plane.width) {
    const uint64_t left = weights - band.first_pixel - at;
    packed->mask.put(band.first_pixel + at, band.rows + at / plane.width * stride + 1,
                     left < plane.width ? left : plane.width);
  }
  if (feed->bands_left > 0) return {};
  const Plane& pixels = planes_[packed->tensor.plane].plane;
  const uint64_t ones = packed->mask.ones();
  if (ones < pixels.width || divide_up(ones, pixels.width) != pixels.rows) {
    forget_mask(feed, packed);
    return fail(Code::kMaskCount, ones, uint64_t{pixels.rows} * pixels.width);
  }
  packed->ones = ones;
  return {};
}

void WeightStore::forget_mask(PlaneFeed* feed, PackedTensor* packed) {
  packed->mask.clear();
  for (uint8_t& fed : feed->fed) fed = 0;
  feed->bands_left = feed->plane.bands;
  bands_left_ += feed->plane.bands;
}

// Judges all indices first, so that a refused band leaves nothing behind.
Status WeightStore::place_runs(const PlaneFeed& feed, const BandRows& band) {
  const Plane& plane = feed.plane;
  const uint32_t* readers = readers_.data() + plane.first_reader;
  for (uint32_t i = 0; i < plane.readers; ++i) {
    const Tensor& tensor = tensors_[readers[i]].tensor;
    const Run run = run_in(band, tensor);
    const uint32_t largest = largest_pixel(band, plane, run.first, run.count);
    if (run.count > 0 && largest >= tensor.numbers()) {
      return fail_tensor(Code::kBandIndex, readers[i], largest, tensor.numbers());
    }
  }
  const uint32_t last_reader = readers[plane.readers - 1];
  const Tensor& last = tensors_[last_reader].tensor;
  Status status = judge_rest(band, plane, last.first_pixel + last.weights());
  if (!status.ok()) status.tensor = static_cast<int32_t>(last_reader);
  for (uint32_t i = 0; status.ok() && i < plane.readers; ++i) {
    PackedTensor& packed = tensors_[readers[i]];
    Run run = run_in(band, packed.tensor);
    PixelReader reader(band.rows, plane.width, plane.bits, run.first);
    uint8_t pixels[kChunk];
    while (status.ok() && run.count > 0) {
      const uint32_t taken = reader.take(run.count < kChunk ? run.count : kChunk, pixels);
      status = put(&packed, run.weight, pixels, taken);
      run.weight += taken;
      run.count -= taken;
    }
  }
  return status;
}

// The weights of this band: after that of the last pixel before it, up to that of its last one; the
// last band also has all that follow.
Status WeightStore::place_masked(const PlaneFeed& feed, PackedTensor* packed,
                                 const BandRows& band) {
  if (packed->ones == 0) return fail(Code::kMaskFirst);
  const Plane& plane = feed.plane;
  const uint64_t end = band.first_pixel + band.pixels;
  const uint64_t stop = end < packed->ones ? end : packed->ones;
  Status status = judge_rest(band, plane, packed->ones);
  if (!status.ok()) return status;
  const uint32_t largest = largest_pixel(band, plane, 0, stop - band.first_pixel);
  if (largest + 1 >= packed->tensor.numbers()) {
    return fail(Code::kBandIndex, largest, packed->tensor.numbers() - 1);
  }
  const uint32_t common = packed->tensor.common;
  const uint64_t last = stop == packed->ones ? packed->tensor.weights() : packed->mask.after(stop);
  uint64_t left = stop - band.first_pixel;
  PixelReader reader(band.rows, plane.width, plane.bits, 0);
  uint8_t pixels[kChunk], indices[kChunk];
  uint32_t at = 0, taken = 0;
  for (uint64_t weight = packed->mask.after(band.first_pixel); status.ok() && weight < last;) {
    const uint32_t count = last - weight < kChunk ? static_cast<uint32_t>(last - weight) : kChunk;
    for (uint32_t i = 0; i < count; ++i) {
      indices[i] = static_cast<uint8_t>(common);
      if (!packed->mask[weight + i]) continue;
      if (at == taken) {
        taken = reader.take(left < kChunk ? left : kChunk, pixels);
        left -= taken;
        at = 0;
      }
      const uint32_t pixel = pixels[at++];
      indices[i] = static_cast<uint8_t>(pixel + (pixel >= common ? 1 : 0));
    }
    status = put(packed, weight, indices, count);
    weight += count;
  }
  return status;
}

// Puts indices of weights from `weight` on where their panels want them, and packs the panels that
// are complete; along a trellis, those that no earlier one is missing for.
Status WeightStore::put(PackedTensor* packed, uint64_t weight, const uint8_t* indices,
                        uint64_t count) {
  const Weights& w = packed->weights;
  const uint64_t depth = static_cast<uint64_t>(w.depth);
  uint64_t output = weight / depth, within = weight % depth;
  packed->weights_left -= count;
  while (count > 0) {
    const uint64_t panel = output / kLanes;
    Memory& open = packed->open[panel];
    if (open.data() == nullptr && !open.reset(kLanes * depth)) return fail(Code::kNoMemory);
    const uint64_t here = count < depth - within ? count : depth - within;
    uint8_t* to = open.data() + output % kLanes * depth;
    place(packed->order, static_cast<uint32_t>(within), indices, here, to);
    indices += here;
    count -= here;
    within += here;
    if (within == depth) {
      within = 0;
      ++output;
    }
    packed->missing[panel] -= static_cast<uint32_t>(here);
    if (packed->missing[panel] > 0) continue;
    if (packed->tensor.trellis) {
      follow_panels(packed);
    } else {
      pack_panel(packed, panel);
    }
  }
  if (packed->weights_left == 0) {
    packed->missing.clear();
    packed->open.clear();
    packed->mask.clear();
    packed->states = Memory();
  }
  return {};
}

uint32_t WeightStore::outputs_in(const PackedTensor& packed, uint64_t panel) {
  const uint64_t left = static_cast<uint64_t>(packed.weights.outputs) - panel * kLanes;
  return static_cast<uint32_t>(left < kLanes ? left : kLanes);
}

void WeightStore::pack_panel(PackedTensor* packed, uint64_t panel) {
  const Weights& w = packed->weights;
  kernels_.pack_index(w.encoding, packed->open[panel].data(),
                      static_cast<int32_t>(outputs_in(*packed, panel)), w.depth,
                      packed->panels.data() + panel * w.panel_bytes);
  packed->open[panel] = Memory();
}

// Packs the complete panels that follow the last one packed: only then their states are known.
void WeightStore::follow_panels(PackedTensor* packed) {
  const size_t depth = static_cast<size_t>(packed->weights.depth);
  for (; packed->followed < packed->missing.size(); ++packed->followed) {
    const uint64_t panel = packed->followed;
    if (packed->missing[panel] > 0) return;
    uint8_t* row = packed->open[panel].data();
    for (uint32_t i = 0; i < outputs_in(*packed, panel); ++i, row += depth) {
      follow_trellis(row, packed->states.data(), depth);
    }
    pack_panel(packed, panel);
  }
}

}  // namespace pocketlens
