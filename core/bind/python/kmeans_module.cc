// pocketlens.palettes._kmeans: the palette functions of core/src/palette on NumPy arrays. Arguments
// are checked in palettes/palette.py; here only what would read or write outside an array.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <tuple>

#include "base/trellis.h"
#include "palette/assign.h"
#include "palette/both_ways.h"
#include "palette/feedback.h"
#include "palette/rate_distortion.h"
#include "palette/trellis.h"

namespace nb = nanobind;
namespace palette = pocketlens::palette;

namespace {

using Floats = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Codes = nb::ndarray<const uint16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bins = nb::ndarray<const int64_t, nb::shape<65536>, nb::c_contig, nb::device::cpu>;
using Doubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Matrices = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
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

// Prefix sums each: see rate_distortion.h.
Result<uint32_t> cut_by_rate(const Doubles& weights, const Doubles& importance,
                             const Doubles& moment, const Doubles& square, double lagrangian,
                             double price) {
  const size_t places = weights.size();
  if (places < 2 || importance.size() != places || moment.size() != places ||
      square.size() != places) {
    throw nb::value_error("prefix sums are of one length, at least 2");
  }
  std::unique_ptr<uint32_t[]> cuts(new uint32_t[places]);
  size_t runs;
  {
    nb::gil_scoped_release release;
    runs = palette::cut_by_rate(
        {weights.data(), importance.data(), moment.data(), square.data(), places - 1}, lagrangian,
        price, cuts.get());
  }
  if (runs == 0) throw std::bad_alloc();
  Result<uint32_t> result = zeros<uint32_t>(runs + 1);
  std::copy(cuts.get(), cuts.get() + runs + 1, result.data());
  return result;
}

palette::Rows rows_of(const Table& weights, const Doubles& worth, const Matrices& matrices) {
  const size_t outputs = weights.shape(0), columns = weights.shape(1), groups = matrices.shape(0);
  if (outputs < 1 || columns < 1 || groups < 1 || outputs % groups != 0 ||
      worth.size() != outputs || matrices.shape(1) != columns || matrices.shape(2) != columns) {
    throw nb::value_error("weights, worth and matrices do not fit together");
  }
  return {weights.data(), worth.data(), outputs, columns, groups};
}

std::tuple<Result<uint8_t>, Result<float>, double, double> code_rows(
    const Table& weights, const Doubles& worth, const Matrices& factors, const Floats& values,
    const Floats& bits, double lagrangian) {
  const palette::Rows rows = rows_of(weights, worth, factors);
  if (values.size() < 1 || values.size() > palette::kLargestPalette ||
      bits.size() != values.size()) {
    throw nb::value_error("a palette has 1 to 256 values, and as many bits");
  }
  Result<uint8_t> indices = zeros<uint8_t>(rows.outputs * rows.columns);
  Result<float> targets = zeros<float>(rows.outputs * rows.columns);
  palette::Tally tally;
  bool done;
  {
    nb::gil_scoped_release release;
    done = palette::code_rows(rows, factors.data(), {values.data(), bits.data(), values.size()},
                              lagrangian, indices.data(), targets.data(), &tally);
  }
  if (!done) throw std::bad_alloc();
  return {indices, targets, tally.distortion, tally.bits};
}

std::tuple<Result<uint8_t>, Result<float>, double, double> code_grid(
    const Table& weights, const Table& across, const Table& down, const Floats& values,
    const Floats& bits, double lagrangian) {
  const size_t columns = weights.shape(0), outputs = weights.shape(1);
  if (columns < 1 || outputs < 1 || across.shape(0) != columns || across.shape(1) != columns ||
      down.shape(0) != outputs || down.shape(1) != outputs) {
    throw nb::value_error("weights and matrices do not fit together");
  }
  if (values.size() < 1 || values.size() > palette::kLargestPalette ||
      bits.size() != values.size()) {
    throw nb::value_error("a palette has 1 to 256 values, and as many bits");
  }
  Result<uint8_t> indices = zeros<uint8_t>(columns * outputs);
  Result<float> targets = zeros<float>(columns * outputs);
  palette::Tally tally;
  bool done;
  {
    nb::gil_scoped_release release;
    done = palette::code_grid({weights.data(), across.data(), down.data(), columns, outputs},
                              {values.data(), bits.data(), values.size()}, lagrangian,
                              indices.data(), targets.data(), &tally);
  }
  if (!done) throw std::bad_alloc();
  return {indices, targets, tally.distortion, tally.bits};
}

// `down` or `worth`: how outputs go together, or what each is worth by itself; see trellis.h.
std::tuple<Result<uint8_t>, Result<float>, double, double> code_trellis(
    const Table& weights, const Table& across, const std::optional<Table>& down,
    const Doubles& worth, const Floats& values, const Floats& bits, double lagrangian) {
  const size_t columns = weights.shape(0), outputs = weights.shape(1);
  if (columns < 1 || outputs < 1 || across.shape(0) != columns || across.shape(1) != columns ||
      worth.size() != outputs ||
      (down && (down->shape(0) != outputs || down->shape(1) != outputs))) {
    throw nb::value_error("weights, worth and matrices do not fit together");
  }
  if (values.size() < pocketlens::kLeastTrellisValues || values.size() > palette::kLargestPalette ||
      bits.size() != values.size()) {
    throw nb::value_error("a trellis has 4 to 256 values, and as many bits");
  }
  Result<uint8_t> indices = zeros<uint8_t>(columns * outputs);
  Result<float> targets = zeros<float>(columns * outputs);
  palette::Tally tally;
  bool done;
  {
    nb::gil_scoped_release release;
    done = palette::code_trellis(
        {weights.data(), across.data(), down ? down->data() : nullptr, columns, outputs},
        worth.data(), {values.data(), bits.data(), values.size()}, lagrangian, indices.data(),
        targets.data(), &tally);
  }
  if (!done) throw std::bad_alloc();
  return {indices, targets, tally.distortion, tally.bits};
}

std::tuple<Result<double>, Result<double>> normal_equations(const Table& weights,
                                                            const Doubles& worth,
                                                            const Matrices& covariances,
                                                            const Indices& indices, size_t size) {
  const palette::Rows rows = rows_of(weights, worth, covariances);
  const size_t count = rows.outputs * rows.columns;
  if (size < 1 || size > palette::kLargestPalette || indices.size() != count ||
      *std::max_element(indices.data(), indices.data() + count) >= size) {
    throw nb::value_error("indices do not fit the weights or the palette");
  }
  Result<double> matrix = zeros<double>(size * size);
  Result<double> vector = zeros<double>(size);
  bool done;
  {
    nb::gil_scoped_release release;
    done = palette::add_normal_equations(rows, covariances.data(), indices.data(), size,
                                         matrix.data(), vector.data());
  }
  if (!done) throw std::bad_alloc();
  return {matrix, vector};
}

}  // namespace

NB_MODULE(_kmeans, m) {
  m.def("count", &count, nb::arg("weights").noconvert());
  m.def("weigh", &weigh, nb::arg("weights").noconvert(), nb::arg("importance").noconvert());
  m.def("choose", &choose, nb::arg("bins").noconvert(), nb::arg("size"));
  m.def("assign", &assign, nb::arg("weights").noconvert(), nb::arg("palette").noconvert(),
        nb::arg("importance").noconvert().none() = nb::none());
  m.def("cut_by_rate", &cut_by_rate, nb::arg("weights").noconvert(),
        nb::arg("importance").noconvert(), nb::arg("moment").noconvert(),
        nb::arg("square").noconvert(), nb::arg("lagrangian"), nb::arg("price"));
  m.def("code_rows", &code_rows, nb::arg("weights").noconvert(), nb::arg("worth").noconvert(),
        nb::arg("factors").noconvert(), nb::arg("values").noconvert(), nb::arg("bits").noconvert(),
        nb::arg("lagrangian"));
  m.def("code_grid", &code_grid, nb::arg("weights").noconvert(), nb::arg("across").noconvert(),
        nb::arg("down").noconvert(), nb::arg("values").noconvert(), nb::arg("bits").noconvert(),
        nb::arg("lagrangian"));
  m.def("code_trellis", &code_trellis, nb::arg("weights").noconvert(),
        nb::arg("across").noconvert(), nb::arg("down").noconvert().none(),
        nb::arg("worth").noconvert(), nb::arg("values").noconvert(), nb::arg("bits").noconvert(),
        nb::arg("lagrangian"));
  m.def("normal_equations", &normal_equations, nb::arg("weights").noconvert(),
        nb::arg("worth").noconvert(), nb::arg("covariances").noconvert(),
        nb::arg("indices").noconvert(), nb::arg("size"));
}
