#include "photo/cubic.h"

#include <string.h>

namespace pocketlens {
namespace {

typedef float Floats4 __attribute__((vector_size(16)));

Floats4 load(const float* at) {
  Floats4 values;
  memcpy(&values, at, sizeof values);
  return values;
}

uint32_t clamped(int64_t place, uint32_t count) {
  if (place < 0) return 0;
  return place < count ? static_cast<uint32_t>(place) : count - 1;
}

}  // namespace

CubicTaps cubic_taps(uint32_t number, uint32_t from, uint32_t to) {
  constexpr float a = -0.75f;
  const float x = static_cast<float>((number + 0.5) * from / to - 0.5);
  const int64_t base = static_cast<int64_t>(x);  // toward zero: t may be negative
  const float t = x - static_cast<float>(base), far = t + 1, rest = 1 - t;
  CubicTaps taps;
  for (int tap = 0; tap < 4; ++tap) taps.places[tap] = clamped(base + tap - 1, from);
  taps.weights[0] = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a;
  taps.weights[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
  taps.weights[2] = ((a + 2) * rest - (a + 3)) * rest * rest + 1;
  taps.weights[3] = 1 - taps.weights[0] - taps.weights[1] - taps.weights[2];
  return taps;
}

bool Cubic::reset(uint32_t from_height, uint32_t from_width, uint32_t height, uint32_t width,
                  uint32_t depth) {
  from_height_ = from_height;
  height_ = height;
  width_ = width;
  depth_ = depth;
  seen_ = made_ = 0;
  taps_ = cubic_taps(0, from_height, height);
  pitch_ = static_cast<size_t>(width) * depth + 4;
  if (!across_.reset(width) || !rows_.reset(4 * pitch_)) return false;
  for (uint32_t x = 0; x < width; ++x) across_[x] = cubic_taps(x, from_width, width);
  return true;
}

void Cubic::take(const float* row, uint32_t stride) {
  const uint32_t number = seen_++;
  if (made_ == height_ || number < taps_.places[0]) return;
  float* out = kept(number);
  for (const CubicTaps& taps : across_) {
    const auto tap = [&](int i) {
      return load(row + static_cast<size_t>(taps.places[i]) * stride) * taps.weights[i];
    };
    const Floats4 sum = tap(0) + tap(1) + tap(2) + tap(3);
    memcpy(out, &sum, sizeof sum);
    out += depth_;
  }
}

void Cubic::make(float* out) {
  const float *a = kept(taps_.places[0]), *b = kept(taps_.places[1]), *c = kept(taps_.places[2]),
              *d = kept(taps_.places[3]);
  const float* weights = taps_.weights;
  const size_t count = static_cast<size_t>(width_) * depth_;
  for (size_t i = 0; i < count; ++i) {
    out[i] = a[i] * weights[0] + b[i] * weights[1] + c[i] * weights[2] + d[i] * weights[3];
  }
  if (++made_ < height_) taps_ = cubic_taps(made_, from_height_, height_);
}

}  // namespace pocketlens
