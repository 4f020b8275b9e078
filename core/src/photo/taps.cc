#include "photo/taps.h"

#include <math.h>

#include <utility>

namespace pocketlens {
namespace {

constexpr double kPi = 3.14159265358979323846;

// sin(pi x) for x of a few units, to a few units of the last place: the library's would bring its
// reduction of huge angles into every page.
double sin_pi(double x) {
  const double whole = floor(x + 0.5), rest = (x - whole) * kPi;
  const double square = rest * rest;
  double sum = 0;
  for (int k = 21; k >= 3; k -= 2) sum = (sum + 1) * -square / (k * (k - 1));
  return (static_cast<int>(whole) % 2 == 0 ? rest : -rest) * (1 + sum);
}

double sinc(double x) { return x == 0 ? 1 : sin_pi(x) / (x * kPi); }

// How far from its middle a filter reaches, in pixels.
double reach(Filter filter) {
  switch (filter) {
    case Filter::kNearest:
      return 0;
    case Filter::kBox:
      return 0.5;
    case Filter::kBilinear:
    case Filter::kHamming:
      return 1;
    case Filter::kBicubic:
      return 2;
    case Filter::kLanczos:
      return 3;
  }
  return 0;
}

// Keys 1981, "Cubic convolution interpolation for digital image processing", with a = -1/2.
double bicubic(double x) {
  constexpr double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

double filter_at(Filter filter, double at) {
  const double x = fabs(at);
  switch (filter) {
    case Filter::kNearest:
      return 0;
    case Filter::kBox:
      return at > -0.5 && at <= 0.5 ? 1 : 0;
    case Filter::kBilinear:
      return x < 1 ? 1 - x : 0;
    case Filter::kHamming:
      return x < 1 ? sinc(x) * (0.54 + 0.46 * sin_pi(x + 0.5)) : 0;
    case Filter::kBicubic:
      return bicubic(x);
    case Filter::kLanczos:
      return at >= -3 && at < 3 ? sinc(at) * sinc(at / 3) : 0;
  }
  return 0;
}

int32_t rounded(double weight) {
  const double scaled = weight * (1 << kTapBits);
  return static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

}  // namespace

bool Taps::reset(Filter filter, uint32_t from, uint32_t to, uint32_t begin, uint32_t end) {
  const double step = static_cast<double>(from) / to;
  const double wide = step < 1 ? 1 : step;
  const double support = reach(filter) * wide;
  widest_ = static_cast<size_t>(ceil(support)) * 2 + 1;
  const size_t count = end - begin;
  Array<double> exact;
  if (!spans_.reset(count) || !weights_.reset(count * widest_) || !exact.reset(widest_)) {
    return false;
  }
  if (filter == Filter::kNearest) {
    nearest(from, to, begin);
    return true;
  }
  for (size_t i = 0; i < count; ++i) {
    const double centre = (begin + i + 0.5) * step;
    const double low = centre - support + 0.5, high = centre + support + 0.5;
    const uint32_t first = low < 0 ? 0 : static_cast<uint32_t>(low);
    const uint32_t behind = high > from ? from : static_cast<uint32_t>(high);
    spans_[i] = {first, behind - first};
    double sum = 0;
    for (uint32_t tap = 0; tap < behind - first; ++tap) {
      exact[tap] = filter_at(filter, (tap + first - centre + 0.5) * (1 / wide));
      sum += exact[tap];
    }
    int32_t* weights = weights_.data() + i * widest_;
    for (uint32_t tap = 0; tap < behind - first; ++tap) {
      weights[tap] = rounded(sum == 0 ? exact[tap] : exact[tap] / sum);
    }
    if (behind > last_) last_ = behind;
  }
  return true;
}

// One old pixel each. The place is summed up, not multiplied: the last bits count.
void Taps::nearest(uint32_t from, uint32_t to, uint32_t begin) {
  const double step = static_cast<double>(from) / to;
  double place = step * 0.5;
  for (uint32_t skipped = 0; skipped < begin; ++skipped) place += step;
  for (size_t i = 0; i < spans_.size(); ++i, place += step) {
    const uint32_t at = static_cast<uint32_t>(place);
    spans_[i] = {at < from ? at : from - 1, 1};
    weights_[i * widest_] = 1 << kTapBits;
  }
  last_ = spans_.empty() ? 0 : spans_.back().first + 1;
}

}  // namespace pocketlens
