// softmax and layer_norm of rows, and lrn, plainly.
#include <math.h>

#include "kernels/scalar.h"

namespace pocketlens::scalar {

void softmax(const float* x, float* y, size_t size) {
  double most = -__builtin_inf(), sum = 0;
  for (size_t i = 0; i < size; ++i) most = (double)x[i] > most ? (double)x[i] : most;
  for (size_t i = 0; i < size; ++i) sum += exp((double)x[i] - most);
  for (size_t i = 0; i < size; ++i) y[i] = (float)(exp((double)x[i] - most) / sum);
}

void normalize(const NormRows& norm) {
  for (size_t r = 0; r < norm.rows; ++r) {
    const auto place = [&](size_t k) {
      return r * norm.row + k / kLanes * norm.block + k % kLanes;
    };
    double sum = 0, squares = 0;
    for (size_t k = 0; k < norm.size; ++k) sum += (double)norm.input[place(k)];
    const double mean = sum / (double)norm.size;
    for (size_t k = 0; k < norm.size; ++k) {
      const double centered = (double)norm.input[place(k)] - mean;
      squares += centered * centered;
    }
    const double root = sqrt(squares / (double)norm.size + (double)norm.epsilon);
    for (size_t k = 0; k < norm.size; ++k) {
      const double scale = norm.scale ? (double)norm.scale[k] : 1;
      const double bias = norm.bias ? (double)norm.bias[k] : 0;
      norm.output[place(k)] = (float)(((double)norm.input[place(k)] - mean) / root * scale + bias);
    }
  }
}

void lrn(const LrnPixels& lrn) {
  for (size_t p = 0; p < lrn.pixels; ++p) {
    const auto place = [&](size_t c) { return c / kLanes * lrn.block + p * kLanes + c % kLanes; };
    for (size_t c = 0; c < lrn.channels; ++c) lrn.squares[c] = lrn.input[place(c)];
    for (size_t c = 0; c < lrn.channels; ++c) {
      const size_t first = c / lrn.group * lrn.group, in_group = c % lrn.group;
      const size_t low = in_group < lrn.before ? 0 : in_group - lrn.before;
      const size_t high = in_group + lrn.after < lrn.group ? in_group + lrn.after : lrn.group - 1;
      double sum = 0;
      for (size_t i = first + low; i <= first + high; ++i) {
        sum += (double)lrn.squares[i] * (double)lrn.squares[i];
      }
      const double base = (double)lrn.bias + (double)lrn.scale * sum;
      lrn.output[place(c)] = (float)((double)lrn.squares[c] / pow(base, (double)lrn.beta));
    }
  }
}

}  // namespace pocketlens::scalar
