// Small plans, written byte by byte, for tests of the validator and the runner.
#ifndef POCKETLENS_TESTS_PLAN_MAKER_H
#define POCKETLENS_TESTS_PLAN_MAKER_H

#include <stdint.h>
#include <string.h>

#include <utility>
#include <vector>

namespace pocketlens::test {

using Bytes = std::vector<uint8_t>;

inline void put_u32(Bytes* bytes, uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes->push_back(static_cast<uint8_t>(value >> (8 * i)));
}

inline void put_u64(Bytes* bytes, uint64_t value) {
  put_u32(bytes, static_cast<uint32_t>(value));
  put_u32(bytes, static_cast<uint32_t>(value >> 32));
}

inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline uint32_t tensor(uint32_t number) { return 0x80000000u | number; }

constexpr uint32_t kNone = 0xFFFFFFFFu;

struct BandBytes {
  uint32_t plane, band;
  Bytes rows;
};

class PlanMaker {
 public:
  using Dims = std::vector<uint32_t>;

  uint32_t value(const Dims& dims) {
    put_shape(&values_, dims);
    put_u32(&values_, 0);
    return value_count_++;
  }

  uint32_t float_tensor(const Dims& dims, const std::vector<float>& data) {
    put_u32(&tensors_, 0);
    put_shape(&tensors_, dims);
    for (int i = 0; i < 6; ++i) put_u32(&tensors_, 0);
    return finish_tensor([&] {
      for (const float x : data) put_u32(&data_, bits_of(x));
    });
  }

  uint32_t half_tensor(const Dims& dims, const std::vector<uint16_t>& data) {
    put_u32(&tensors_, 1);
    put_shape(&tensors_, dims);
    for (int i = 0; i < 6; ++i) put_u32(&tensors_, 0);
    return finish_tensor([&] { put_halves(data); });
  }

  // One palette a group; `palettes` are half-precision bits. Indices are 0, 1, 2, ... k-1, 0, ...
  // on a plane of the tensor's own.
  uint32_t palette_tensor(const Dims& dims, uint32_t bits, uint32_t k, uint32_t group_rows,
                          uint32_t width, uint32_t band_rows,
                          const std::vector<uint16_t>& palettes) {
    const uint32_t own = plane(bits, width, band_rows, counting(elements(dims), k));
    return indexed_tensor(dims, k, group_rows, {own, 0, kNone, 0}, palettes);
  }

  static uint32_t elements(const Dims& dims) {
    uint32_t count = 1;
    for (const uint32_t d : dims) count *= d;
    return count;
  }
  static std::vector<uint32_t> counting(uint32_t count, uint32_t k) {
    std::vector<uint32_t> indices(count);
    for (uint32_t i = 0; i < count; ++i) indices[i] = i % k;
    return indices;
  }

  // Where a tensor's indices stand; whether they are numbers along a trellis.
  struct Place {
    uint32_t plane, first_pixel, mask, common;
    bool trellis = false;
  };

  uint32_t indexed_tensor(const Dims& dims, uint32_t k, uint32_t group_rows, const Place& place,
                          const std::vector<uint16_t>& palettes) {
    put_u32(&tensors_, place.trellis ? 3 : 2);
    put_shape(&tensors_, dims);
    for (const uint32_t x :
         {k, group_rows, place.plane, place.first_pixel, place.mask, place.common}) {
      put_u32(&tensors_, x);
    }
    return finish_tensor([&] { put_halves(palettes); });
  }

  uint32_t plane(uint32_t bits, uint32_t width, uint32_t band_rows,
                 const std::vector<uint32_t>& pixels) {
    const uint32_t count = static_cast<uint32_t>(pixels.size());
    const uint32_t rows = (count + width - 1) / width;
    const uint32_t bands = (rows + band_rows - 1) / band_rows;
    for (const uint32_t x : {bits, width, rows, band_rows, bands, 0u}) put_u32(&planes_, x);
    uint32_t at = 0;
    for (uint32_t b = 0; b < bands; ++b) {
      Bytes band;
      for (uint32_t r = b * band_rows; r < rows && r < (b + 1) * band_rows; ++r) {
        const size_t start = band.size() + 1;
        band.resize(start + (width * bits + 7) / 8);
        for (uint32_t x = 0; x < width && at < count; ++x, ++at) {
          const uint32_t bit = x * bits;
          band[start + bit / 8] |= static_cast<uint8_t>(pixels[at] << (8 - bits - bit % 8));
        }
      }
      bands_.push_back({plane_count_, b, band});
    }
    return plane_count_++;
  }

  void op(uint32_t kind, uint32_t output, const std::vector<uint32_t>& inputs,
          const std::vector<uint32_t>& attributes) {
    put_u32(&ops_, static_cast<uint32_t>(5 + inputs.size() + attributes.size()));
    put_u32(&ops_, kind);
    put_u32(&ops_, output);
    put_u32(&ops_, static_cast<uint32_t>(inputs.size()));
    put_u32(&ops_, static_cast<uint32_t>(attributes.size()));
    for (const uint32_t x : inputs) put_u32(&ops_, x);
    for (const uint32_t x : attributes) put_u32(&ops_, x);
    ++op_count_;
  }

  Bytes finish(const std::vector<uint32_t>& inputs, const std::vector<uint32_t>& outputs) {
    Bytes io;
    for (const uint32_t n : inputs) put_u32(&io, n);
    for (const uint32_t n : outputs) put_u32(&io, n);
    align(&io);
    align(&ops_);
    const uint32_t values_at = 72;
    const uint32_t tensors_at = values_at + static_cast<uint32_t>(values_.size());
    const uint32_t planes_at = tensors_at + tensor_count_ * 72;
    const uint32_t io_at = planes_at + static_cast<uint32_t>(planes_.size());
    const uint32_t ops_at = io_at + static_cast<uint32_t>(io.size());
    const uint32_t data_at = ops_at + static_cast<uint32_t>(ops_.size());
    Bytes plan = {'P', 'L', 'E', 'N', 'S', 'P', 'L', 'N'};
    put_u32(&plan, 2);
    put_u32(&plan, value_count_);
    put_u64(&plan, data_at + data_.size());
    for (const uint32_t x :
         {tensor_count_, plane_count_, op_count_, static_cast<uint32_t>(inputs.size()),
          static_cast<uint32_t>(outputs.size()), values_at, tensors_at, planes_at, io_at, ops_at,
          data_at, 0u}) {
      put_u32(&plan, x);
    }
    append(&plan, values_);
    // A tensor's record was kept without its place, which is known only now.
    for (uint32_t t = 0; t < tensor_count_; ++t) {
      plan.insert(plan.end(), tensors_.begin() + t * 56, tensors_.begin() + (t + 1) * 56);
      put_u64(&plan, data_at + places_[t].first);
      put_u64(&plan, places_[t].second);
    }
    append(&plan, planes_);
    append(&plan, io);
    append(&plan, ops_);
    append(&plan, data_);
    return plan;
  }

  const std::vector<BandBytes>& bands() const { return bands_; }

 private:
  static void align(Bytes* bytes) {
    while (bytes->size() % 8 != 0) bytes->push_back(0);
  }
  static void append(Bytes* to, const Bytes& from) {
    to->insert(to->end(), from.begin(), from.end());
  }
  static void put_shape(Bytes* bytes, const Dims& dims) {
    put_u32(bytes, static_cast<uint32_t>(dims.size()));
    for (size_t i = 0; i < 6; ++i) put_u32(bytes, i < dims.size() ? dims[i] : 1);
  }
  void put_halves(const std::vector<uint16_t>& halves) {
    for (const uint16_t h : halves) {
      data_.push_back(static_cast<uint8_t>(h));
      data_.push_back(static_cast<uint8_t>(h >> 8));
    }
  }
  template <typename Write>
  uint32_t finish_tensor(Write write) {
    const size_t place = data_.size();
    write();
    places_.push_back({place, data_.size() - place});
    align(&data_);
    return tensor_count_++;
  }

  Bytes values_, tensors_, planes_, ops_, data_;
  std::vector<std::pair<uint64_t, uint64_t>> places_;
  std::vector<BandBytes> bands_;
  uint32_t value_count_ = 0, tensor_count_ = 0, plane_count_ = 0, op_count_ = 0;
};

struct SmallPlan {
  Bytes bytes;
  std::vector<BandBytes> bands;
};

}  // namespace pocketlens::test

#endif
