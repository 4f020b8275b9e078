// matmul of two arrays: parts of b are packed as the micro-kernel wants weights, with the scale
// multiplied in, and a takes the place of the picture.
#ifndef POCKETLENS_KERNELS_MATMUL_INL_H
#define POCKETLENS_KERNELS_MATMUL_INL_H

#include "kernels/tile-inl.h"

namespace pocketlens {
namespace {

constexpr int32_t kMatmulSlice = 128;  // k of a packed part
constexpr int32_t kMatmulWidth = kMaxPanels * kLanes;
constexpr int32_t kMatmulRows = 24;

struct Matrices {
  const float *a, *b;
  float* c;
  int32_t m, n, k;
  size_t lda, ldb, ldc;
  bool transpose_b;
  float scale;
};

// Rows [k, k + depth) and columns [column, column + columns) of b to [depth][width], zeros beyond.
void pack_b(const Matrices& mat, int32_t k, int32_t depth, int32_t column, int32_t columns,
            size_t width, float* out) {
  if (!mat.transpose_b) {
    for (int32_t i = 0; i < depth; ++i) {
      const float* row = mat.b + (size_t)(k + i) * mat.ldb + column;
      float* to = out + (size_t)i * width;
      for (int32_t j = 0; j < columns; ++j) to[j] = row[j] * mat.scale;
      for (size_t j = (size_t)columns; j < width; ++j) to[j] = 0;
    }
    return;
  }
  if ((size_t)columns < width) memset(out, 0, (size_t)depth * width * sizeof(float));
  for (int32_t j = 0; j < columns; ++j) {
    const float* row = mat.b + (size_t)(column + j) * mat.ldb + k;
    for (int32_t i = 0; i < depth; ++i) out[(size_t)i * width + (size_t)j] = row[i] * mat.scale;
  }
}

// Some rows of c, [column, column + columns), plus one packed part. c is written through `sums`,
// for its last columns may be fewer than a panel's lanes.
void multiply_part(const Matrices& mat, const float* packed, int32_t k, int32_t depth,
                   int32_t column, int32_t columns, int32_t panels, int32_t row, int32_t rows) {
  alignas(64) float sums[kMatmulRows * kMatmulWidth];
  const size_t width = (size_t)panels * kLanes, bytes = (size_t)columns * sizeof(float);
  float* c = mat.c + (size_t)row * mat.ldc + column;
  memset(sums, 0, (size_t)rows * width * sizeof(float));
  for (int32_t i = 0; k > 0 && i < rows; ++i) {
    memcpy(sums + (size_t)i * width, c + (size_t)i * mat.ldc, bytes);
  }
  const Walk walk = {1, 1, {1, depth}, {1, depth}, 0, 0, 0};
  Tile tile;
  tile.input = mat.a + (size_t)row * mat.lda + k;
  tile.pixel_step = mat.lda;
  tile.weights = packed;
  tile.start = tile.output = sums;
  tile.start_pixel = tile.out_pixel = width;
  tile.start_panel = tile.out_panel = kLanes;
  tile.residual = nullptr;
  tile.low = -__builtin_inff();
  tile.high = __builtin_inff();
  run_row(walk, tile, panels, rows);
  for (int32_t i = 0; i < rows; ++i) {
    memcpy(c + (size_t)i * mat.ldc, sums + (size_t)i * width, bytes);
  }
}

void matmul(const float* a, const float* b, float* c, int32_t m, int32_t n, int32_t k, size_t lda,
            size_t ldb, size_t ldc, int transpose_b, float scale) {
  const Matrices mat = {a, b, c, m, n, k, lda, ldb, ldc, transpose_b != 0, scale};
  alignas(64) float packed[kMatmulSlice * kMatmulWidth];
  for (int32_t column = 0; column < n; column += kMatmulWidth) {
    const int32_t columns = least(kMatmulWidth, n - column);
    const int32_t panels = ceil_div(columns, kLanes);
    for (int32_t k0 = 0; k0 < k; k0 += kMatmulSlice) {
      const int32_t depth = least(kMatmulSlice, k - k0);
      pack_b(mat, k0, depth, column, columns, (size_t)panels * kLanes, packed);
      for (int32_t row = 0; row < m; row += kMatmulRows) {
        multiply_part(mat, packed, k0, depth, column, columns, panels, row,
                      least(kMatmulRows, m - row));
      }
    }
  }
}

}  // namespace
}  // namespace pocketlens

#endif
