// lrn: squares of a few pixels' channels side by side, zeros around every group; then the window of
// a vector of channels is a sum of vectors at neighbouring places.
#ifndef POCKETLENS_KERNELS_LRN_INL_H
#define POCKETLENS_KERNELS_LRN_INL_H

#include <math.h>

#include "kernels/math-inl.h"

namespace pocketlens {
namespace {

// x^(-3/4) for normal x > 0, to 1.2e-7. A straight line through the logarithm, which the bits of a
// float are nearly, is off by 4.4% at most; each step of the third order (with e = 1 - x^3 y^4,
// that is (1 - e)^(-1/4) = 1 + e / 4 + 5 / 32 e^2 + ..) makes an error of d one of 7.5 d^3.
POCKETLENS_INLINE V inverse_three_quarters(V x) {
  const I bits = bits_of(x);
  V y = of_bits((I{} + 0x6f14ec00) - ((bits >> 1) + (bits >> 2)));
  POCKETLENS_UNROLL
  for (int step = 0; step < 2; ++step) {
    const V fourth = x * y;  // x^(1/4)
    const V e = 1.f - fourth * fourth * (fourth * y);
    y += y * e * (e * 0.15625f + 0.25f);
  }
  return y;
}

enum class LrnPower { kThreeQuarters, kHalf, kAny };

LrnPower power_of(const LrnPixels& lrn) {
  // Then no base is below the bias, and none is subnormal.
  const bool positive = lrn.bias >= 1e-30f && lrn.scale >= 0;
  if (positive && lrn.beta == 0.75f) return LrnPower::kThreeQuarters;
  return !kSmallCode && lrn.beta == 0.5f ? LrnPower::kHalf : LrnPower::kAny;
}

// value / base^beta; kAny is as exact as 1e-7 times the logarithm of the power.
POCKETLENS_INLINE V divide_by_power(V value, V base, LrnPower power, float beta) {
  if (power == LrnPower::kThreeQuarters) {
    const float most = 3e38f;  // infinity is too large for what follows
    return value * inverse_three_quarters(select(base > most, splat(most), base));
  }
  if (power == LrnPower::kHalf) {
    float lanes[kWidth];
    store(lanes, base);
    for (float& lane : lanes) lane = sqrtf(lane);
    return value / load(lanes);
  }
  return value * exponential(logarithm(base) * -beta);
}

// Whether no vector of channels is of two groups.
bool groups_are_vectors(const LrnPixels& lrn) {
  return lrn.group == lrn.channels || lrn.group % kWidth == 0;
}

POCKETLENS_INLINE size_t lrn_place(const LrnPixels& lrn, size_t c) {
  return c / kLanes * lrn.block + c % kLanes;
}

// Calls each(first channel, its square's place in a line) for every vector of channels; where
// groups are no vectors, for every channel.
template <class Each>
POCKETLENS_INLINE void over_channels(const LrnPixels& lrn, size_t step, Each each) {
  const size_t gap = lrn_gap(lrn.before, lrn.after);
  size_t place = gap;
  for (size_t first = 0; first < lrn.channels; first += lrn.group, place += lrn.group + gap) {
    for (size_t i = 0; i < lrn.group; i += step) each(first + i, place + i);
  }
}

void square_pixel(const LrnPixels& lrn, const float* in, float* line) {
  if (!groups_are_vectors(lrn)) {
    over_channels(lrn, 1, [&](size_t c, size_t at) {
      const float x = in[lrn_place(lrn, c)];
      line[at] = x * x;
    });
    return;
  }
  over_channels(lrn, kWidth, [&](size_t c, size_t at) POCKETLENS_SINK {
    const V x = load(in + lrn_place(lrn, c));
    store(line + at, x * x);
  });
  // Lanes beyond the last channel held anything.
  float* end = line + lrn_gap(lrn.before, lrn.after) + lrn.channels;
  for (size_t i = 0; lrn.channels % kWidth != 0 && i < kWidth; ++i) end[i] = 0;
}

// The sum of kTaps values from `first` on, of every lane; 0: `taps`, known only when it runs.
template <size_t kTaps>
POCKETLENS_INLINE V window_sum(const float* first, [[maybe_unused]] size_t taps) {
  V sum = load(first);
  if constexpr (kTaps > 0) {
    POCKETLENS_UNROLL
    for (size_t i = 1; i < kTaps; ++i) sum += load(first + i);
  } else {
    for (size_t i = 1; i < taps; ++i) sum += load(first + i);
  }
  return sum;
}

// One pixel, whose line of squares is there.
template <size_t kTaps>
void lrn_pixel(const LrnPixels& lrn, const float* in, const float* line, float* out) {
  const size_t taps = lrn.before + lrn.after + 1;
  const V scale = splat(lrn.scale), bias = splat(lrn.bias);
  const LrnPower power = power_of(lrn);
  if (!groups_are_vectors(lrn)) {
    // A channel's value goes through a vector of its own.
    over_channels(lrn, 1, [&](size_t c, size_t at) {
      float sum = 0;
      for (size_t i = 0; i < taps; ++i) sum += line[at - lrn.before + i];
      const V base = multiply_add(splat(sum), scale, bias);
      const size_t place = lrn_place(lrn, c);
      out[place] = divide_by_power(splat(in[place]), base, power, lrn.beta)[0];
    });
    return;
  }
  over_channels(lrn, kWidth, [&](size_t c, size_t at) POCKETLENS_SINK {
    const V sum = window_sum<kTaps>(line + (at - lrn.before), taps);
    const V base = multiply_add(sum, scale, bias);
    const size_t place = lrn_place(lrn, c);
    store(out + place, divide_by_power(load(in + place), base, power, lrn.beta));
  });
}

void lrn(const LrnPixels& lrn) {
  const bool five = !kSmallCode && lrn.before + lrn.after == 4;  // as in AlexNet
  const auto pixel = five ? lrn_pixel<5> : lrn_pixel<0>;
  memset(lrn.squares, 0, kLrnPixels * lrn.line * sizeof(float));
  for (size_t first = 0; first < lrn.pixels; first += kLrnPixels) {
    const size_t last = first + kLrnPixels < lrn.pixels ? first + kLrnPixels : lrn.pixels;
    for (size_t p = first; p < last; ++p) {
      square_pixel(lrn, lrn.input + p * kLanes, lrn.squares + (p - first) * lrn.line);
    }
    for (size_t p = first; p < last; ++p) {
      pixel(lrn, lrn.input + p * kLanes, lrn.squares + (p - first) * lrn.line,
            lrn.output + p * kLanes);
    }
  }
}

}  // namespace
}  // namespace pocketlens

#endif
