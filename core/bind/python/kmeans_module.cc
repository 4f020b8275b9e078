// pocketlens.palettes._kmeans: the palette functions of core/src/palette on NumPy arrays. Arguments
// are checked in palettes/palette.py; here only what would read or write outside an array.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "palette/assign.h"

namespace nb = nanobind;
namespace palette = pocketlens::palette;

namespace {

using Floats = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Codes = nb::ndarray<const uint16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bins = nb::ndarray<const int64_t, nb::shape<65536>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Result = nb::ndarray<nb::numpy, T, nb::ndim<1>, nb::c_contig>;

// An array of zeros that Python will own.
template <typename T>
Result<T> zeros(size_t count) {
  T* memory = new T[count]();
  nb::capsule owner(memory, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return Result<T>(memory, {count}, owner);
}

void same_length(const Floats& weights, const Floats& importance) {
  if (importance.size() != weights.size()) {
    throw nb::value_error("importance and weights differ in length");
  }
}

Result<int64_t> count(const Floats& weights) {
  Result<int64_t> bins = zeros<int64_t>(palette::kHalfCodes);
  nb::gil_scoped_release release;
  palette::count_codes(weights.data(), weights.size(), bins.data());
  return bins;
}

Result<int64_t> weigh(const Floats& weights, const Floats& importance) {
  same_length(weights, importance);
  Result<int64_t> bins = zeros<int64_t>(palette::kHalfCodes);
  Result<double> sums = zeros<double>(palette::kHalfCodes);
  nb::gil_scoped_release release;
  palette::weigh_codes(weights.data(), importance.data(), weights.size(), sums.data(), bins.data());
  return bins;
}

Result<uint16_t> choose(const Bins& bins, size_t size) {
  if (size < 1 || size > palette::kLargestPalette) throw nb::value_error("size is not 1 to 256");
  uint16_t palette[palette::kLargestPalette];
  size_t found;
  {
    nb::gil_scoped_release release;
    found = palette::choose_palette(bins.data(), size, palette);
  }
  if (found == 0) throw nb::value_error("no weight counts, or memory is short");
  Result<uint16_t> result = zeros<uint16_t>(found);
  std::copy(palette, palette + found, result.data());
  return result;
}

std::tuple<Result<uint8_t>, double, double> assign(const Floats& weights, const Codes& palette,
                                                   const std::optional<Floats>& importance) {
  if (importance) same_length(weights, *importance);
  if (palette.size() < 1 || palette.size() > palette::kLargestPalette) {
    throw nb::value_error("a palette has 1 to 256 values");
  }
  Result<uint8_t> indices = zeros<uint8_t>(weights.size());
  palette::Sums sums;
  {
    nb::gil_scoped_release release;
    sums = palette::assign_indices(weights.data(), importance ? importance->data() : nullptr,
                                   weights.size(), palette.data(), palette.size(), indices.data());
  }
  return {indices, sums.error, sums.energy};
}

}  // namespace

NB_MODULE(_kmeans, m) {
  m.def("count", &count, nb::arg("weights").noconvert());
  m.def("weigh", &weigh, nb::arg("weights").noconvert(), nb::arg("importance").noconvert());
  m.def("choose", &choose, nb::arg("bins").noconvert(), nb::arg("size"));
  m.def("assign", &assign, nb::arg("weights").noconvert(), nb::arg("palette").noconvert(),
        nb::arg("importance").noconvert().none() = nb::none());
}
