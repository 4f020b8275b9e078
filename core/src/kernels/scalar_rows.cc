// softmax and layer_norm of rows, plainly.
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

}  // namespace pocketlens::scalar
