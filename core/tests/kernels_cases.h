// Random problems for kernels: weights in every encoding, pictures in the blocked layout. Lanes and
// gaps that nobody may read are filled with what is not a number. Shared by test and benchmark.
#ifndef POCKETLENS_TESTS_KERNELS_CASES_H
#define POCKETLENS_TESTS_KERNELS_CASES_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <vector>

#include "kernels/table.h"

namespace pocketlens::test {

constexpr float kNotANumber = __builtin_nanf("");
constexpr Encoding kEncodings[] = {Encoding::kFloat,  Encoding::kHalf,   Encoding::kIndex1,
                                   Encoding::kIndex2, Encoding::kIndex4, Encoding::kIndex8};
inline const char* const kEncodingNames[] = {"float",  "half",   "index1",
                                             "index2", "index4", "index8"};

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2654435761u + 88172645463325252u) {}
  uint32_t bits() {  // xorshift64 (Marsaglia, 2003)
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return (uint32_t)(state_ >> 32);
  }
  int below(int n) { return (int)(bits() % (uint32_t)n); }
  float unit() { return (float)(bits() >> 8) * (2.f / (1 << 24)) - 1; }  // [-1, 1)
  template <class T, size_t n>
  T pick(const T (&of)[n]) {
    return of[below((int)n)];
  }

 private:
  uint64_t state_;
};

inline int bits_of(Encoding e) { return e < Encoding::kIndex1 ? 0 : 1 << ((int)e - 2); }

// Half-precision numbers of absolute value under 1/2, subnormal ones among them.
inline uint16_t random_half(Random& random) {
  const uint32_t bits = random.bits();
  if (bits % 16 == 0) return (uint16_t)(bits >> 16 & 0x83ff);
  return (uint16_t)((bits >> 16 & 0x8000) | (8 + bits % 6) << 10 | (bits >> 20 & 0x3ff));
}

// Weights as row-major palette indices or values, packed for one table.
struct WeightsCase {
  Encoding encoding;
  int outputs, depth, group_rows;
  std::vector<uint8_t> indices;  // [outputs][depth]
  std::vector<float> values;
  std::vector<uint16_t> halves, palettes;

  WeightsCase(Random& random, Encoding encoding_, int outputs_, int depth_, int group_rows_)
      : encoding(encoding_), outputs(outputs_), depth(depth_), group_rows(group_rows_) {
    const size_t count = (size_t)outputs * (size_t)depth;
    const int bits = bits_of(encoding);
    indices.resize(bits ? count : 0);
    for (auto& index : indices) index = (uint8_t)random.below(1 << bits);
    values.resize(encoding == Encoding::kFloat ? count : 0);
    for (auto& value : values) value = random.unit() / 2;
    halves.resize(encoding == Encoding::kHalf ? count : 0);
    for (auto& half : halves) half = random_half(random);
    const int groups = (outputs + group_rows - 1) / group_rows;
    palettes.resize(bits ? (size_t)groups << bits : 0);
    for (auto& half : palettes) half = random_half(random);
  }
};

struct PackedWeights {
  std::vector<uint8_t> bytes;
  Weights weights;

  PackedWeights(const KernelTable& table, const WeightsCase& from) {
    const int panels = (from.outputs + kLanes - 1) / kLanes;
    const size_t size = panel_bytes(from.encoding, from.depth);
    bytes.resize(size * (size_t)panels);
    for (int panel = 0; panel < panels; ++panel) {
      pack_panel(table, from, panel * kLanes, bytes.data() + (size_t)panel * size);
    }
    weights = {from.encoding,
               from.outputs,
               from.depth,
               bytes.data(),
               size,
               from.palettes.data(),
               1 << bits_of(from.encoding),
               from.group_rows};
  }

 private:
  static void pack_panel(const KernelTable& table, const WeightsCase& from, int first,
                         uint8_t* out) {
    const int lanes = std::min(kLanes, from.outputs - first);
    const size_t start = (size_t)first * (size_t)from.depth;
    if (bits_of(from.encoding)) {
      table.pack_index(from.encoding, from.indices.data() + start, lanes, from.depth, out);
      return;
    }
    for (int k = 0; k < from.depth; ++k) {
      for (int lane = 0; lane < lanes; ++lane) {
        const size_t at = start + (size_t)lane * (size_t)from.depth + (size_t)k;
        const size_t to = (size_t)k * kLanes + (size_t)lane;
        if (from.encoding == Encoding::kFloat) {
          memcpy(out + to * 4, &from.values[at], 4);
        } else {
          memcpy(out + to * 2, &from.halves[at], 2);
        }
      }
    }
  }
};

// A scratch of exactly the bytes asked for, aligned as promised, full of what is not a number.
class Scratch {
 public:
  explicit Scratch(size_t bytes) : raw_(new char[bytes + 64]) {
    const size_t past = (64 - (uintptr_t)raw_ % 64) % 64;
    memset(raw_ + past, 0xff, bytes);
    data_ = raw_ + past;
  }
  ~Scratch() { delete[] raw_; }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* data() { return data_; }

 private:
  char* raw_;
  char* data_;
};

struct ConvShape {
  int images, channels, outputs, groups, kernel_h, kernel_w, stride_h, stride_w;
  int dilation_h, dilation_w, out_h, out_w;
  bool compact, residual;
  int row_gap;          // pixels between rows that belong to no window
  bool scaled = false;  // channels have factors
  // Zeros around the input that a depthwise conv2d thinks of itself.
  int top = 0, left = 0, bottom = 0, right = 0;

  int in_h() const { return reach_h() - top - bottom; }
  int in_w() const { return reach_w() - left - right; }
  int reach_h() const { return (out_h - 1) * stride_h + (kernel_h - 1) * dilation_h + 1; }
  int reach_w() const { return (out_w - 1) * stride_w + (kernel_w - 1) * dilation_w + 1; }
  int depth() const { return channels / groups * kernel_h * kernel_w; }
  double flops() const { return 2.0 * images * outputs * out_h * out_w * depth(); }
};

struct ConvCase {
  ConvShape shape;
  std::vector<float> input, bias, residual, scale;
  Conv2d conv;  // without weights and output

  ConvCase(Random& random, const ConvShape& s, Activation activation) : shape(s) {
    const int blocks = s.compact ? 1 : (s.channels + kLanes - 1) / kLanes;
    const int pixel = s.compact ? s.channels : kLanes;
    const size_t row = (size_t)(s.in_w() + s.row_gap) * (size_t)pixel;
    const size_t block = row * (size_t)s.in_h(), image = block * (size_t)blocks;
    input.assign(image * (size_t)s.images, kNotANumber);
    for (size_t i = 0; i < input.size(); ++i) {
      const size_t lane = i % (size_t)pixel, x = i % row / (size_t)pixel;
      const size_t channel = i % image / block * kLanes + lane;
      if (channel < (size_t)s.channels && x < (size_t)s.in_w()) input[i] = random.unit();
    }
    const int panels = (s.outputs + kLanes - 1) / kLanes;
    bias.assign((size_t)panels * kLanes, 0);
    for (int o = 0; o < s.outputs; ++o) bias[(size_t)o] = random.unit();
    const size_t out_image = (size_t)panels * (size_t)(s.out_h * s.out_w) * kLanes;
    if (s.residual) residual.resize(out_image * (size_t)s.images);
    for (auto& value : residual) value = random.unit();
    if (s.scaled) scale.resize((size_t)s.channels);
    for (auto& value : scale) value = random.unit();
    conv = {s.images,
            s.channels,
            s.outputs,
            s.groups,
            s.kernel_h,
            s.kernel_w,
            s.stride_h,
            s.stride_w,
            s.dilation_h,
            s.dilation_w,
            s.out_h,
            s.out_w,
            s.in_h(),
            s.in_w(),
            s.top,
            s.left,
            image,
            block,
            row,
            (size_t)pixel,
            out_image,
            input.data(),
            bias.data(),
            s.residual ? residual.data() : nullptr,
            nullptr,
            {},
            activation,
            ConvWay::kQuickest,
            s.scaled ? scale.data() : nullptr,
            false};
  }
};

inline ConvShape random_conv(Random& random) {
  const int sizes[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 48, 64};
  const int kernels[] = {1, 1, 3, 5, 7}, strides[] = {1, 1, 2, 3}, dilations[] = {1, 1, 1, 2, 3};
  ConvShape s = {};
  s.images = 1 + random.below(3);
  s.channels = random.pick(sizes);
  s.outputs = random.pick(sizes);
  s.groups = 1;
  s.kernel_h = random.pick(kernels);
  s.kernel_w = random.below(4) ? s.kernel_h : random.pick(kernels);
  s.stride_h = random.pick(strides);
  s.stride_w = random.below(4) ? s.stride_h : random.pick(strides);
  s.dilation_h = random.pick(dilations);
  s.dilation_w = random.below(4) ? s.dilation_h : random.pick(dilations);
  s.out_h = 1 + random.below(7);
  s.out_w = 1 + random.below(29);
  s.compact = s.channels <= 8 && random.below(2);
  s.residual = random.below(2);
  s.row_gap = random.below(2) ? 0 : random.below(3);
  s.scaled = random.below(3) == 0;
  return s;
}

// Items one call at a time, in a random order of pieces; and all in one call.
template <class Run>
void run_in_pieces(Random& random, size_t items, size_t bytes, Run run) {
  size_t begin = 0;
  while (begin < items) {
    const size_t end = std::min(items, begin + 1 + (size_t)random.below(3));
    Scratch scratch(bytes);
    run(begin, end, scratch.data());
    begin = end;
  }
}

}  // namespace pocketlens::test

#endif
