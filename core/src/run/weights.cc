// Packing (run/weights.h). The k order of a panel is that of kernels/table.h.
#include "run/weights.h"

#include <string.h>

#include "base/bytes.h"
#include "kernels/half.h"
#include "run/scanlines.h"

namespace pocketlens {
namespace {

constexpr uint64_t kMaxWeightBytes = uint64_t{1} << 33;

Encoding encoding_of(const Tensor& tensor) {
  if (tensor.kind == TensorKind::kFloat) return Encoding::kFloat;
  if (tensor.kind == TensorKind::kHalf) return Encoding::kHalf;
  switch (tensor.bits) {
    case 1:
      return Encoding::kIndex1;
    case 2:
      return Encoding::kIndex2;
    case 4:
      return Encoding::kIndex4;
    default:
      return Encoding::kIndex8;
  }
}

// A weight (O,C,KH,KW) is stored in that order; its panel is (block of 16 channels, ky, kx,
// channel in block). A weight (O,K) keeps its order.
bool fill_order(const Shape& shape, Array<uint32_t>* order) {
  const uint32_t channels = static_cast<uint32_t>(shape.dims[1]);
  const uint32_t window = static_cast<uint32_t>(shape.dims[2] * shape.dims[3]);
  if (!order->reset(size_t{channels} * window)) return false;
  for (uint32_t c = 0; c < channels; ++c) {
    const uint32_t block = c / kLanes * kLanes;
    const uint32_t lanes = channels - block < kLanes ? channels - block : kLanes;
    for (uint32_t p = 0; p < window; ++p) {
      (*order)[size_t{c} * window + p] = block * window + p * lanes + (c - block);
    }
  }
  return true;
}

}  // namespace

Status WeightStore::open(const Plan& plan) {
  if (!tensors_.reset(plan.tensors.size())) return fail(Code::kNoMemory);
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    if (plan.tensors[i].weight_of < 0 && plan.tensors[i].kind != TensorKind::kPalette) continue;
    Status status = open_tensor(plan.tensors[i], i);
    if (!status.ok()) return status;
  }
  return {};
}

Status WeightStore::open_tensor(const Tensor& tensor, size_t number) {
  PackedTensor& packed = tensors_[number];
  packed.tensor = tensor;
  packed.used = true;
  const int64_t depth = tensor.shape.elements() / tensor.shape.dims[0];
  if (depth > kMaxDimension) {
    return fail_tensor(Code::kTooLarge, number, static_cast<uint64_t>(depth), kMaxDimension);
  }
  Weights& w = packed.weights;
  w.encoding = encoding_of(tensor);
  w.outputs = tensor.shape.dims[0];
  w.depth = static_cast<int32_t>(depth);
  w.panel_bytes = panel_bytes(w.encoding, w.depth);
  w.group_rows =
      tensor.kind == TensorKind::kPalette ? static_cast<int32_t>(tensor.group_rows) : w.outputs;
  const uint64_t panels = divide_up(static_cast<uint64_t>(w.outputs), kLanes);
  if (w.panel_bytes * panels > kMaxWeightBytes - bytes_) {
    return fail_tensor(Code::kTooLarge, number, w.panel_bytes * panels, kMaxWeightBytes);
  }
  if (!packed.panels.reset(w.panel_bytes * panels)) return fail(Code::kNoMemory);
  if (tensor.shape.rank == 4 && !fill_order(tensor.shape, &packed.order)) {
    return fail(Code::kNoMemory);
  }
  w.panels = packed.panels.data();
  bytes_ += packed.panels.size();
  if (tensor.kind == TensorKind::kPalette) return open_palette(&packed);
  pack_values(&packed);
  packed.order.clear();
  packed.tensor.data = nullptr;
  return {};
}

Status WeightStore::open_palette(PackedTensor* packed) {
  Tensor& tensor = packed->tensor;
  Weights& w = packed->weights;
  w.palette_stride = 1 << tensor.bits;
  const size_t panels = static_cast<size_t>(divide_up(static_cast<uint64_t>(w.outputs), kLanes));
  if (!packed->palettes.reset(uint64_t{tensor.groups} * w.palette_stride * 2) ||
      !packed->fed.reset(tensor.bands) || !packed->missing.reset(panels) ||
      !packed->open.reset(panels)) {
    return fail(Code::kNoMemory);
  }
  uint16_t* palettes = reinterpret_cast<uint16_t*>(packed->palettes.data());
  for (size_t g = 0; g < tensor.groups; ++g) {
    for (size_t i = 0; i < tensor.palette_size; ++i) {
      palettes[g * w.palette_stride + i] =
          load_u16(tensor.data + 2 * (g * tensor.palette_size + i));
    }
  }
  for (size_t p = 0; p < panels; ++p) {
    const uint32_t outputs = static_cast<uint32_t>(w.outputs) - static_cast<uint32_t>(p * kLanes);
    packed->missing[p] = 0;
    if (uint64_t{outputs < kLanes ? outputs : kLanes} * w.depth > UINT32_MAX) {
      return fail(Code::kTooLarge, w.depth);
    }
    packed->missing[p] = (outputs < kLanes ? outputs : kLanes) * static_cast<uint32_t>(w.depth);
  }
  w.palettes = palettes;
  tensor.data = nullptr;
  packed->bands_left = tensor.bands;
  bands_left_ += tensor.bands;
  bytes_ += packed->palettes.size();
  return {};
}

void WeightStore::pack_values(PackedTensor* packed) {
  const Weights& w = packed->weights;
  const bool half = w.encoding == Encoding::kHalf;
  const size_t bytes = half ? 2 : 4;
  const uint8_t* from = packed->tensor.data;
  for (size_t o = 0; o < static_cast<size_t>(w.outputs); ++o) {
    uint8_t* panel = packed->panels.data() + o / kLanes * w.panel_bytes;
    for (size_t i = 0; i < static_cast<size_t>(w.depth); ++i, from += bytes) {
      const size_t k = packed->order.empty() ? i : packed->order[i];
      uint8_t* to = panel + (k * kLanes + o % kLanes) * bytes;
      if (half) {
        const uint16_t value = load_u16(from);
        memcpy(to, &value, sizeof value);
      } else {
        const float value = load_f32(from);
        memcpy(to, &value, sizeof value);
      }
    }
  }
}

Status WeightStore::feed(uint32_t number, uint32_t band, uint8_t* rows, size_t row_bytes) {
  if (number >= tensors_.size() || !tensors_[number].used || tensors_[number].fed.empty()) {
    return fail_tensor(Code::kBandNumber, number, band, 0);
  }
  PackedTensor& packed = tensors_[number];
  const Tensor& tensor = packed.tensor;
  if (band >= tensor.bands) return fail_tensor(Code::kBandNumber, number, band, tensor.bands);
  if (packed.fed[band]) return fail_tensor(Code::kBandTwice, number, band);
  const uint32_t first_row = band * tensor.band_rows;
  const uint32_t left = tensor.rows - first_row;
  const uint32_t row_count = left < tensor.band_rows ? left : tensor.band_rows;
  const uint64_t stride = divide_up(uint64_t{tensor.width} * tensor.bits, 8);
  if (row_bytes != (stride + 1) * row_count) {
    return fail_tensor(Code::kBandSize, number, row_bytes, (stride + 1) * row_count);
  }
  const int64_t bad_row = undo_filters(rows, row_count, static_cast<size_t>(stride));
  if (bad_row >= 0) return fail_tensor(Code::kBandFilter, number, static_cast<uint64_t>(bad_row));
  Status status = place(&packed, first_row, row_count, rows, static_cast<size_t>(stride) + 1);
  if (!status.ok()) {
    status.tensor = static_cast<int32_t>(number);
    return status;
  }
  packed.fed[band] = 1;
  --bands_left_;
  if (--packed.bands_left == 0) {
    packed.order.clear();
    packed.missing.clear();
    packed.open.clear();
  }
  return {};
}

namespace {

// The largest index of a row of pixels; the row's unused bits are not looked at.
uint32_t largest_index(const uint8_t* row, uint32_t pixels, uint32_t bits) {
  uint32_t largest = 0;
  for (uint32_t x = 0; x < pixels; ++x) {
    const uint32_t index = pixel_at(row, x, bits);
    largest = index > largest ? index : largest;
  }
  return largest;
}

}  // namespace

// Judges all indices first, so that a refused band leaves nothing behind; then puts each where its
// panel wants it, and packs the panels that are complete.
Status WeightStore::place(PackedTensor* packed, uint32_t first_row, uint32_t row_count,
                          const uint8_t* rows, size_t stride) {
  const Tensor& tensor = packed->tensor;
  const Weights& w = packed->weights;
  const uint64_t total = static_cast<uint64_t>(tensor.shape.elements());
  const uint64_t begin = uint64_t{first_row} * tensor.width;
  for (uint32_t r = 0; r < row_count; ++r) {
    const uint32_t largest = largest_index(rows + r * stride + 1, tensor.width, tensor.bits);
    if (largest >= tensor.palette_size) {
      return fail(Code::kBandIndex, largest, tensor.palette_size);
    }
  }
  const uint64_t end_all = begin + uint64_t{row_count} * tensor.width;
  const uint64_t end = end_all < total ? end_all : total;
  const uint64_t panel_indices = uint64_t{kLanes} * static_cast<uint32_t>(w.depth);
  uint64_t output = begin / w.depth, within = begin % w.depth;
  uint64_t index = begin;
  for (uint32_t r = 0; r < row_count; ++r) {
    const uint8_t* row = rows + r * stride + 1;
    for (uint32_t x = 0; x < tensor.width && index < end; ++x, ++index) {
      const uint64_t panel = output / kLanes;
      Memory& open = packed->open[panel];
      if (open.data() == nullptr && !open.reset(panel_indices)) return fail(Code::kNoMemory);
      const uint64_t k = packed->order.empty() ? within : packed->order[within];
      open.data()[output % kLanes * w.depth + k] =
          static_cast<uint8_t>(pixel_at(row, x, tensor.bits));
      if (++within == static_cast<uint64_t>(w.depth)) {
        within = 0;
        ++output;
      }
      if (--packed->missing[panel] == 0) {
        const uint64_t left = static_cast<uint64_t>(w.outputs) - panel * kLanes;
        kernels_.pack_index(w.encoding, open.data(),
                            static_cast<int32_t>(left < kLanes ? left : kLanes), w.depth,
                            packed->panels.data() + panel * w.panel_bytes);
        open = Memory();
      }
    }
  }
  return {};
}

}  // namespace pocketlens
