// The activations on vectors. relu, clip and none are one clipping, which the micro-kernels do as
// they store; the others run over what has just been stored.
#ifndef POCKETLENS_KERNELS_ACTIVATE_INL_H
#define POCKETLENS_KERNELS_ACTIVATE_INL_H

#include <math.h>

#include "kernels/activation_kind.h"
#include "kernels/math-inl.h"

namespace pocketlens {
namespace {

struct Range {
  float low, high;
};

bool is_clip(const Activation& activation) {
  return activation.kind == kNone || activation.kind == kRelu || activation.kind == kClip;
}

// What is_clip() clips to; everything for the kinds that are not.
Range clip_of(const Activation& activation) {
  const float infinity = __builtin_inff();
  if (activation.kind == kRelu) return {0, infinity};
  if (activation.kind == kClip) return {activation.alpha, activation.beta};
  return {-infinity, infinity};
}

POCKETLENS_INLINE V gelu(V x) {
  return x * (error_function(x * 0.70710678118654752440f) * 0.5f + 0.5f);
}

// (1 + tanh(u)) / 2 = sigmoid(2 u)
POCKETLENS_INLINE V gelu_tanh(V x) {
  const float twice_root = 1.59576912160573071176f;  // 2 sqrt(2 / pi)
  return x * sigmoid((x * x * x * 0.044715f + x) * twice_root);
}

POCKETLENS_INLINE V softplus(V x) {
  return select(x < V{}, V{}, x) + log_1_plus(exponential(-absolute(x)));
}

POCKETLENS_INLINE V square_root(V x) {
  POCKETLENS_UNROLL
  for (int i = 0; i < kWidth; ++i) x[i] = sqrtf(x[i]);
  return x;
}

template <class Function>
POCKETLENS_INLINE void for_all(const float* x, float* y, size_t count, Function function) {
  for (size_t i = 0; i < count; i += kWidth) store(y + i, function(load(x + i)));
}

// `count`: whole vectors.
void activate_vectors(const float* x, float* y, size_t count, const Activation& activation) {
  const V alpha = splat(activation.alpha), beta = splat(activation.beta);
  const V one = splat(1.f);
#define POCKETLENS_CASE(kind, expression)                                                 \
  case kind:                                                                              \
    for_all(x, y, count, [=](V v) __attribute__((always_inline)) { return expression; }); \
    break
  switch (activation.kind) {
    POCKETLENS_CASE(kRelu, select(v < V{}, V{}, v));
    POCKETLENS_CASE(kLeakyRelu, select(v >= V{}, v, v * alpha));
    POCKETLENS_CASE(kClip, clamp(v, alpha, beta));
    POCKETLENS_CASE(kSigmoid, sigmoid(v));
    POCKETLENS_CASE(kHardSigmoid, clamp(v * alpha + beta, V{}, one));
    POCKETLENS_CASE(kHardSwish, v * clamp((v + 3.f) * (1.f / 6), V{}, one));
    POCKETLENS_CASE(kSilu, v * sigmoid(v));
    POCKETLENS_CASE(kGelu, gelu(v));
    POCKETLENS_CASE(kGeluTanh, gelu_tanh(v));
    POCKETLENS_CASE(kTanh, hyperbolic_tangent(v));
    POCKETLENS_CASE(kErf, error_function(v));
    POCKETLENS_CASE(kExp, exponential(v));
    POCKETLENS_CASE(kLog, logarithm(v));
    POCKETLENS_CASE(kSqrt, square_root(v));
    POCKETLENS_CASE(kReciprocal, 1.f / v);
    POCKETLENS_CASE(kNeg, -v);
    POCKETLENS_CASE(kAbs, absolute(v));
    POCKETLENS_CASE(kElu, select(v >= V{}, v, exponential_minus_1(v) * alpha));
    POCKETLENS_CASE(kSoftplus, softplus(v));
    default:
      if (x != y) memmove(y, x, count * sizeof(float));
  }
#undef POCKETLENS_CASE
}

void activate(const float* x, float* y, size_t count, Activation activation) {
  const size_t whole = count / kWidth * kWidth, bytes = (count - whole) * sizeof(float);
  if (whole > 0) activate_vectors(x, y, whole, activation);
  if (bytes == 0) return;
  V rest = splat(1.f);
  memcpy(&rest, x + whole, bytes);
  float results[kWidth];
  store(results, rest);
  activate_vectors(results, results, kWidth, activation);
  memcpy(y + whole, results, bytes);
}

}  // namespace
}  // namespace pocketlens

#endif
