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

bool is_packed(const Tensor& tensor) {
  return tensor.weight_of >= 0 || tensor.kind == TensorKind::kPalette;
}

}  // namespace

Status WeightStore::open(const Plan& plan) {
  if (!tensors_.reset(plan.tensors.size())) return fail(Code::kNoMemory);
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    if (!is_packed(plan.tensors[i])) continue;
    Status status = open_tensor(plan.tensors[i], i);
    if (!status.ok()) return status;
  }
  return open_planes(plan);
}

Status WeightStore::fit(const Plan& plan) const {
  if (!is_ready()) return fail(Code::kNotReady, bands_left_);
  if (plan.tensors.size() != tensors_.size()) {
    return fail(Code::kTensor, plan.tensors.size(), tensors_.size());
  }
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const Tensor& wanted = plan.tensors[i];
    if (!is_packed(wanted)) continue;
    const Tensor& own = tensors_[i].tensor;
    const bool same = is_packed(own) && wanted.kind == own.kind && wanted.shape == own.shape &&
                      wanted.palette_size == own.palette_size && wanted.bits == own.bits &&
                      wanted.group_rows == own.group_rows && wanted.groups == own.groups &&
                      wanted.trellis == own.trellis;
    if (!same) return fail_tensor(Code::kTensor, i, 0, 0);
  }
  return {};
}

Status WeightStore::open_planes(const Plan& plan) {
  if (!planes_.reset(plan.planes.size()) || !readers_.reset(plan.readers.size())) {
    return fail(Code::kNoMemory);
  }
  for (size_t i = 0; i < readers_.size(); ++i) readers_[i] = plan.readers[i];
  for (size_t i = 0; i < planes_.size(); ++i) {
    planes_[i].plane = plan.planes[i];
    planes_[i].bands_left = plan.planes[i].bands;
    if (!planes_[i].fed.reset(plan.planes[i].bands)) return fail(Code::kNoMemory);
    bands_left_ += plan.planes[i].bands;
  }
  return {};
}

Status WeightStore::open_tensor(const Tensor& tensor, size_t number) {
  PackedTensor& packed = tensors_[number];
  packed.tensor = tensor;
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
  packed.order = PanelOrder(tensor.shape);
  w.panels = packed.panels.data();
  bytes_ += packed.panels.size();
  if (tensor.kind == TensorKind::kPalette) return open_palette(&packed);
  pack_values(&packed);
  packed.tensor.data = nullptr;
  return {};
}

Status WeightStore::open_palette(PackedTensor* packed) {
  Tensor& tensor = packed->tensor;
  Weights& w = packed->weights;
  w.palette_stride = 1 << tensor.bits;
  const size_t panels = static_cast<size_t>(divide_up(static_cast<uint64_t>(w.outputs), kLanes));
  if (!packed->palettes.reset(uint64_t{tensor.groups} * w.palette_stride * 2) ||
      !packed->missing.reset(panels) || !packed->open.reset(panels) ||
      (tensor.trellis && !packed->states.reset(static_cast<size_t>(w.depth)))) {
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
  packed->weights_left = tensor.weights();
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
    const uint32_t window = packed->order.window();
    for (uint32_t i = 0; i < static_cast<uint32_t>(w.depth); ++i, from += bytes) {
      const size_t k = packed->order.is_plain() ? i : packed->order.place(i / window, i % window);
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

}  // namespace pocketlens
