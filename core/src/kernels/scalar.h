// The plain loops: what every kernel means. Sums are taken in double and rounded once, functions
// are those of the C library in double; every other instruction set is tested against these.
#ifndef POCKETLENS_KERNELS_SCALAR_H
#define POCKETLENS_KERNELS_SCALAR_H

#include "kernels/table.h"

namespace pocketlens::scalar {

// activation(x). relu is `x < 0 ? 0 : x` and clip is `t = x < alpha ? alpha : x;
// beta < t ? beta : t`: what is not a number stays so through every function, and a negative zero
// goes through relu unchanged.
double activation(double x, const Activation& activation);

void pack_index(Encoding encoding, const uint8_t* indices, int32_t outputs, int32_t depth,
                uint8_t* panel);
void decode(const Weights& w, int32_t panel, int32_t k_begin, int32_t k_end, float* out,
            size_t out_stride);

size_t conv2d_items(const Conv2d& conv);
size_t conv2d_scratch_bytes(const Conv2d& conv);
void conv2d_run(const Conv2d& conv, size_t begin, size_t end, void* scratch);

void depthwise_run(const Conv2d& conv, size_t begin, size_t end, void* scratch);

size_t linear_items(const Linear& linear);
size_t linear_scratch_bytes(const Linear& linear);
void linear_run(const Linear& linear, size_t begin, size_t end, void* scratch);

void pool(const PoolRow& row);

void activate(const float* x, float* y, size_t count, Activation activation);
void softmax(const float* x, float* y, size_t size);
void normalize(const NormRows& norm);
void lrn(const LrnPixels& lrn);
void matmul(const float* a, const float* b, float* c, int32_t m, int32_t n, int32_t k, size_t lda,
            size_t ldb, size_t ldc, int transpose_b, float scale);

}  // namespace pocketlens::scalar

#endif
