// resize of height and width, as ONNX defines it (operator Resize, opset 13 and later), on blocked
// pictures. Taps and weights of each row and column are found once, when a lens is opened.
#include <math.h>

#include <new>

#include "base/lanes.h"
#include "plan/ops.h"
#include "run/ops.h"

namespace pocketlens {
namespace {

constexpr int kTaps = 4;

struct TapSet {
  int32_t places[kTaps];
  float weights[kTaps];
};

// Where output place `i` falls in the input.
double source_of(int32_t i, int32_t in, int32_t out, double scale, int32_t coordinates) {
  switch (coordinates) {
    case kHalfPixel:
      return (i + 0.5) / scale - 0.5;
    case kPytorchHalfPixel:
      return out > 1 ? (i + 0.5) / scale - 0.5 : 0.0;
    case kAlignCorners:
      return out > 1 ? static_cast<double>(i) * (in - 1) / (out - 1) : 0.0;
    default:
      return i / scale;
  }
}

double rounded(double x, int32_t rounding) {
  switch (rounding) {
    case kRoundPreferFloor:
      return ceil(x - 0.5);
    case kRoundPreferCeil:
      return floor(x + 0.5);
    case kRoundFloor:
      return floor(x);
    default:
      return ceil(x);
  }
}

int32_t inside(double place, int32_t size) {
  if (!(place > 0)) return 0;
  return place > size - 1 ? size - 1 : static_cast<int32_t>(place);
}

// Keys' cubic convolution (1981) at distance `t` from the second of four taps.
void cubic_weights(double t, double a, float* weights) {
  const double distances[kTaps] = {t + 1, t, 1 - t, 2 - t};
  for (int i = 0; i < kTaps; ++i) {
    const double d = distances[i];
    const double near = ((a + 2) * d - (a + 3)) * d * d + 1;
    const double far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    weights[i] = static_cast<float>(d <= 1 ? near : far);
  }
}

struct ResizeRule {
  int32_t mode, coordinates, rounding;
  float cubic_a;
};

// Unused taps have weight 0 and a place inside.
TapSet taps_of(int32_t i, int32_t in, int32_t out, double scale, const ResizeRule& rule) {
  TapSet taps = {};
  const double x = source_of(i, in, out, scale, rule.coordinates);
  if (rule.mode == kNearest) {
    taps.places[0] = inside(rounded(x, rule.rounding), in);
    taps.weights[0] = 1;
    return taps;
  }
  if (rule.mode == kLinearResize) {
    const double held = x < 0 ? 0 : (x > in - 1 ? in - 1 : x);
    const double base = floor(held);
    taps.places[0] = inside(base, in);
    taps.places[1] = inside(base + 1, in);
    taps.weights[1] = static_cast<float>(held - base);
    taps.weights[0] = 1 - taps.weights[1];
    return taps;
  }
  const double base = floor(x);
  cubic_weights(x - base, static_cast<double>(rule.cubic_a), taps.weights);
  for (int k = 0; k < kTaps; ++k) taps.places[k] = inside(base - 1 + k, in);
  return taps;
}

// An item is a row of one block.
class ResizeStep final : public Step {
 public:
  size_t items(size_t) const override { return groups * rows.size(); }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    for (size_t item = begin; item < end; ++item) {
      const float* in = frame.at(reads[0]) + item / rows.size() * in_block;
      float* out = frame.at(writes) + item * columns.size() * kLanes;
      const TapSet& y = rows[item % rows.size()];
      for (const TapSet& x : columns) {
        pixel(in, y, x).store(out);
        out += kLanes;
      }
    }
  }

  size_t groups = 0, in_block = 0, in_row = 0;  // floats
  int taps = 1;
  Array<TapSet> rows, columns;

 private:
  Lanes pixel(const float* in, const TapSet& y, const TapSet& x) const {
    Lanes sum = Lanes::splat(0);
    for (int i = 0; i < taps; ++i) {
      const float* line = in + static_cast<size_t>(y.places[i]) * in_row;
      Lanes part = Lanes::splat(0);
      for (int k = 0; k < taps; ++k) {
        part = part + Lanes::load(line + static_cast<size_t>(x.places[k]) * kLanes) *
                          Lanes::splat(x.weights[k]);
      }
      sum = sum + part * Lanes::splat(y.weights[i]);
    }
    return sum;
  }
};

bool fill_taps(Array<TapSet>* taps, int32_t in, int32_t out, float scale, const ResizeRule& rule) {
  if (!taps->reset(static_cast<size_t>(out))) return false;
  for (int32_t i = 0; i < out; ++i) {
    (*taps)[static_cast<size_t>(i)] = taps_of(i, in, out, static_cast<double>(scale), rule);
  }
  return true;
}

}  // namespace

bool build_resize(Builder& builder, const Op& op) {
  using namespace resize_at;
  ResizeStep* step = new (std::nothrow) ResizeStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Shape& x = builder.shape(op.input(0));
  const Shape& out = builder.plan.values[op.output];
  const ResizeRule rule = {op.integer(kMode), op.integer(kCoordinates), op.integer(kRounding),
                           op.number(kCubicA)};
  if (!fill_taps(&step->rows, x.dims[2], out.dims[2], op.number(kScaleH), rule) ||
      !fill_taps(&step->columns, x.dims[3], out.dims[3], op.number(kScaleW), rule)) {
    return false;
  }
  const Pictures p = pictures_of(x);
  step->groups = static_cast<size_t>(p.images) * static_cast<size_t>(p.blocks());
  step->in_row = static_cast<size_t>(x.dims[3]) * kLanes;
  step->in_block = static_cast<size_t>(p.pixels()) * kLanes;
  step->taps = rule.mode == kNearest ? 1 : rule.mode == kLinearResize ? 2 : kTaps;
  const int32_t input = builder.blocked(op.input(0));
  if (input < 0 || !step->reads.push(input)) return false;
  step->writes = builder.make(op, Layout::kBlocked);
  return step->writes >= 0 && builder.add(owned.release());
}

}  // namespace pocketlens
