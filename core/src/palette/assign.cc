// See assign.h. Weights are read in blocks: a block's codes first (F16C where the machine has it),
// then what is done with them.
#include "palette/assign.h"

#include <memory>
#include <new>

#include "palette/kmeans1d.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace pocketlens::palette {
namespace {

constexpr size_t kBlock = 2048;
constexpr int64_t kWeightLimit = int64_t{1} << 43;  // leaves room for roundings up to 1

using ToCodes = void (*)(const float* weights, size_t count, uint16_t* codes);

void to_codes_plain(const float* weights, size_t count, uint16_t* codes) {
  for (size_t i = 0; i < count; ++i) codes[i] = half_from_float(weights[i]);
}

#if defined(__x86_64__)
__attribute__((target("avx,f16c"))) void to_codes_f16c(const float* weights, size_t count,
                                                       uint16_t* codes) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i eight = _mm256_cvtps_ph(_mm256_loadu_ps(weights + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + i), eight);
  }
  to_codes_plain(weights + i, count - i, codes + i);
}

bool has_f16c() {
  unsigned eax, ebx, ecx, edx;
  // "avx" also asks whether the operating system saves the wide registers.
  return __builtin_cpu_supports("avx") && __get_cpuid(1, &eax, &ebx, &ecx, &edx) &&
         (ecx & bit_F16C);
}

ToCodes choose_to_codes() { return has_f16c() ? to_codes_f16c : to_codes_plain; }
#else
ToCodes choose_to_codes() { return to_codes_plain; }
#endif

// Calls use(codes, first, count) for every block of weights.
template <typename Use>
void for_blocks(const float* weights, size_t count, Use use) {
  const ToCodes to_codes = choose_to_codes();
  uint16_t codes[kBlock];
  for (size_t first = 0; first < count; first += kBlock) {
    const size_t n = count - first < kBlock ? count - first : kBlock;
    to_codes(weights + first, n, codes);
    use(codes, first, n);
  }
}

// Codes of finite halves from the smallest value to the largest: -65504 ... -2^-24, 0 ... 65504.
constexpr size_t kNegativeCodes = kHalfInfinity - 1;
constexpr size_t kFiniteCodes = kNegativeCodes + kHalfInfinity;

inline uint16_t code_in_order(size_t place) {
  return static_cast<uint16_t>(place < kNegativeCodes ? kHalfSign + (kNegativeCodes - place)
                                                      : place - kNegativeCodes);
}

// The points of a histogram, and the memory they stand in.
struct Histogram {
  std::unique_ptr<int64_t[]> values, weights;
  std::unique_ptr<uint16_t[]> codes;
  size_t count = 0;

  bool fill(const int64_t* bins) {
    size_t used = 0;
    for (size_t code = 0; code < kHalfCodes; ++code) used += bins[code] != 0;
    if (used == 0) return true;
    values.reset(new (std::nothrow) int64_t[used]);
    weights.reset(new (std::nothrow) int64_t[used]);
    codes.reset(new (std::nothrow) uint16_t[used]);
    if (!values || !weights || !codes) return false;
    for (uint16_t code = kHalfSign + kHalfInfinity - 1; code > kHalfSign; --code) {
      if (bins[code] > 0) add(code, bins[code]);
    }
    if (bins[0] + bins[kHalfSign] > 0) add(0, bins[0] + bins[kHalfSign]);
    for (uint16_t code = 1; code < kHalfInfinity; ++code) {
      if (bins[code] > 0) add(code, bins[code]);
    }
    return true;
  }

  void add(uint16_t code, int64_t weight) {
    values[count] = units_from_half(code);
    weights[count] = weight;
    codes[count++] = code;
  }

  // Of the points [begin, end); the sums are exact, the quotient is rounded once to double and
  // once to half precision.
  uint16_t centroid(size_t begin, size_t end) const {
    __extension__ __int128 sum = 0;
    int64_t weight = 0;
    for (size_t i = begin; i < end; ++i) {
      sum += static_cast<__int128>(values[i]) * weights[i];
      weight += weights[i];
    }
    return half_from_units(static_cast<double>(sum) / static_cast<double>(weight));
  }
};

// Which palette value is nearest; palette in units, ascending; halfway goes to the smaller.
struct Nearest {
  int64_t values[kLargestPalette];
  size_t size;

  bool above(size_t index, int64_t value) const {
    return 2 * value > values[index] + values[index + 1];
  }

  uint8_t find(int64_t value) const {
    size_t low = 0, high = size - 1;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (above(middle, value)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return static_cast<uint8_t>(low);
  }

  void fill_table(uint8_t* table) const {
    memset(table, 0, kHalfCodes);
    size_t index = 0;
    for (size_t place = 0; place < kFiniteCodes; ++place) {
      const uint16_t code = code_in_order(place);
      const int64_t value = units_from_half(code);
      while (index + 1 < size && above(index, value)) ++index;
      table[code] = static_cast<uint8_t>(index);
    }
    table[kHalfSign] = table[0];
  }
};

// Four running sums, weight i into the (i mod 4)th: the same order of additions everywhere, and
// squares of floats are exact in double precision, so a fused multiply-add changes nothing.
struct Quarters {
  double error[4] = {0, 0, 0, 0};
  double energy[4] = {0, 0, 0, 0};

  void add(size_t i, float weight, float value) {
    const double difference = static_cast<double>(weight - value);
    const double w = static_cast<double>(weight);
    error[i & 3] += difference * difference;
    energy[i & 3] += w * w;
  }

  void add(size_t i, float weight, float value, float importance) {
    const double difference = static_cast<double>(weight - value);
    const double w = static_cast<double>(weight);
    error[i & 3] += static_cast<double>(importance) * (difference * difference);
    energy[i & 3] += static_cast<double>(importance) * (w * w);
  }

  Sums total() const {
    return {(error[0] + error[1]) + (error[2] + error[3]),
            (energy[0] + energy[1]) + (energy[2] + energy[3])};
  }
};

template <typename Index>
Sums assign_blocks(const float* weights, const float* importance, size_t count, const float* values,
                   uint8_t* indices, Index index_of) {
  Quarters sums;
  for_blocks(weights, count, [&](const uint16_t* codes, size_t first, size_t n) {
    const float* w = weights + first;
    uint8_t* out = indices + first;
    for (size_t i = 0; i < n; ++i) out[i] = index_of(codes[i]);
    if (importance == nullptr) {
      for (size_t i = 0; i < n; ++i) sums.add(i, w[i], values[out[i]]);
    } else {
      for (size_t i = 0; i < n; ++i) sums.add(i, w[i], values[out[i]], importance[first + i]);
    }
  });
  return sums.total();
}

}  // namespace

void count_codes(const float* weights, size_t count, int64_t* bins) {
  for_blocks(weights, count, [bins](const uint16_t* codes, size_t, size_t n) {
    for (size_t i = 0; i < n; ++i) ++bins[codes[i]];
  });
}

bool weigh_codes(const float* weights, const float* importance, size_t count, double* sums,
                 int64_t* bins) {
  for_blocks(weights, count, [&](const uint16_t* codes, size_t first, size_t n) {
    for (size_t i = 0; i < n; ++i) sums[codes[i]] += static_cast<double>(importance[first + i]);
  });
  double total = 0;
  for (size_t code = 0; code < kHalfCodes; ++code) total += sums[code];
  if (!(total > 0)) return false;
  double scale = 1;
  while (total * scale >= static_cast<double>(kWeightLimit)) scale *= 0.5;
  while (total * scale * 2 < static_cast<double>(kWeightLimit)) scale *= 2;
  for (size_t code = 0; code < kHalfCodes; ++code) {
    const int64_t rounded = static_cast<int64_t>(sums[code] * scale + 0.5);
    bins[code] = sums[code] > 0 && rounded == 0 ? 1 : rounded;
  }
  return true;
}

size_t choose_palette(const int64_t* bins, size_t size, uint16_t* palette) {
  Histogram histogram;
  if (!histogram.fill(bins) || histogram.count == 0) return 0;
  if (histogram.count <= size) {
    for (size_t i = 0; i < histogram.count; ++i) palette[i] = histogram.codes[i];
    return histogram.count;
  }
  const Points points{histogram.values.get(), histogram.weights.get(), histogram.count};
  uint32_t cuts[kLargestPalette + 1];
  if (!cut_points(points, size, cuts)) return 0;
  for (size_t i = 0; i < size; ++i) palette[i] = histogram.centroid(cuts[i], cuts[i + 1]);
  return size;
}

Sums assign_indices(const float* weights, const float* importance, size_t count,
                    const uint16_t* palette, size_t size, uint8_t* indices) {
  Nearest nearest;
  nearest.size = size;
  float values[kLargestPalette] = {};
  for (size_t i = 0; i < size; ++i) {
    nearest.values[i] = units_from_half(palette[i]);
    values[i] = static_cast<float>(static_cast<double>(nearest.values[i]) * kUnit);
  }
  if (count >= kHalfCodes / 8) {
    std::unique_ptr<uint8_t[]> table(new (std::nothrow) uint8_t[kHalfCodes]);
    if (table) {
      nearest.fill_table(table.get());
      return assign_blocks(weights, importance, count, values, indices,
                           [&table](uint16_t code) { return table[code]; });
    }
  }
  return assign_blocks(weights, importance, count, values, indices,
                       [&nearest](uint16_t code) { return nearest.find(units_from_half(code)); });
}

}  // namespace pocketlens::palette
