// The activations, plainly, in double with the C library's functions.
#include <math.h>

#include "kernels/activation_kind.h"
#include "kernels/scalar.h"

namespace pocketlens::scalar {

namespace {

// min(max(x, low), high); what is not a number stays so.
double clip(double x, double low, double high) {
  const double raised = x < low ? low : x;
  return high < raised ? high : raised;
}

double sigmoid(double x) {
  if (x >= 0) return 1 / (1 + exp(-x));
  const double e = exp(x);
  return e / (1 + e);
}

// (1 + tanh(u)) / 2 = sigmoid(2 u), without cancellation.
double gelu_tanh(double x) {
  const double root = 0.79788456080286535588;  // sqrt(2 / pi)
  return x * sigmoid(2 * root * (x + 0.044715 * x * x * x));
}

}  // namespace

double activation(double x, const Activation& activation) {
  const double alpha = activation.alpha, beta = activation.beta;
  switch (activation.kind) {
    case kRelu:
      return x < 0 ? 0 : x;
    case kLeakyRelu:
      return x >= 0 ? x : alpha * x;
    case kClip:
      return clip(x, alpha, beta);
    case kSigmoid:
      return sigmoid(x);
    case kHardSigmoid:
      return clip(alpha * x + beta, 0, 1);
    case kHardSwish:
      return x * clip(x / 6 + 0.5, 0, 1);
    case kSilu:
      return x * sigmoid(x);
    case kGelu:
      return x * erfc(x * -0.70710678118654752440) / 2;  // 1 + erf(z) = erfc(-z), no cancellation
    case kGeluTanh:
      return gelu_tanh(x);
    case kTanh:
      return tanh(x);
    case kErf:
      return erf(x);
    case kExp:
      return exp(x);
    case kLog:
      return log(x);
    case kSqrt:
      return sqrt(x);
    case kReciprocal:
      return 1 / x;
    case kNeg:
      return -x;
    case kAbs:
      return fabs(x);
    case kElu:
      return x >= 0 ? x : alpha * expm1(x);
    case kSoftplus:
      return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
    default:
      return x;
  }
}

void activate(const float* x, float* y, size_t count, Activation kind) {
  for (size_t i = 0; i < count; ++i) y[i] = (float)activation((double)x[i], kind);
}

}  // namespace pocketlens::scalar
