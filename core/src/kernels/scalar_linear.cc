// linear and matmul, plainly: a work item of linear is a panel of 16 outputs over the batch.
#include "kernels/panel.h"
#include "kernels/scalar.h"

namespace pocketlens::scalar {

size_t linear_items(const Linear& linear) { return (size_t)panel_count(linear.weights); }

size_t linear_scratch_bytes(const Linear& linear) {
  return (size_t)linear.weights.depth * kLanes * sizeof(float);
}

void linear_run(const Linear& linear, size_t begin, size_t end, void* scratch) {
  float* weights = static_cast<float*>(scratch);
  const int32_t depth = linear.weights.depth, outputs = linear.weights.outputs;
  for (size_t panel = begin; panel < end; ++panel) {
    decode(linear.weights, (int32_t)panel, 0, depth, weights, kLanes);
    const int32_t first = (int32_t)panel * kLanes;
    for (int32_t o = first; o < least(first + kLanes, outputs); ++o) {
      for (int32_t b = 0; b < linear.batch; ++b) {
        const float* x = linear.input + (size_t)b * (size_t)depth;
        double sum = linear.bias[o];
        for (int32_t k = 0; k < depth; ++k) {
          sum += (double)x[k] * (double)weights[(size_t)k * kLanes + (size_t)(o - first)];
        }
        linear.output[(size_t)b * (size_t)outputs + (size_t)o] =
            (float)activation(sum, linear.activation);
      }
    }
  }
}

void matmul(const float* a, const float* b, float* c, int32_t m, int32_t n, int32_t k, size_t lda,
            size_t ldb, size_t ldc, int transpose_b, float scale) {
  for (size_t i = 0; i < (size_t)m; ++i) {
    for (size_t j = 0; j < (size_t)n; ++j) {
      double sum = 0;
      for (size_t l = 0; l < (size_t)k; ++l) {
        sum += (double)a[i * lda + l] * (double)(transpose_b ? b[j * ldb + l] : b[l * ldb + j]);
      }
      c[i * ldc + j] = (float)(scale * sum);
    }
  }
}

}  // namespace pocketlens::scalar
