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

// kWidth columns of a row-major b whose rows stand `stride` floats apart become rows: a transpose
// of kWidth x kWidth by turns of pairs, as cards are shuffled.
POCKETLENS_INLINE void pack_square(const float* from, size_t stride, V scale, size_t width,
                                   float* out) {
  V rows[kWidth];
  for (int i = 0; i < kWidth; ++i) rows[i] = load(from + (size_t)i * stride) * scale;
  POCKETLENS_UNROLL
  for (int half = kWidth / 2; half > 0; half /= 2) {
    V turned[kWidth];
    POCKETLENS_UNROLL
    for (int i = 0; i < kWidth / 2; ++i) {
      turned[2 * i] = first_pairs(rows[i], rows[i + kWidth / 2]);
      turned[2 * i + 1] = last_pairs(rows[i], rows[i + kWidth / 2]);
    }
    memcpy(rows, turned, sizeof rows);
  }
  for (int i = 0; i < kWidth; ++i) store(out + (size_t)i * width, rows[i]);
}

// Columns [column, column + columns) of b, transposed as it stands, to [depth][width].
void pack_transposed(const Matrices& mat, int32_t k, int32_t depth, int32_t column, int32_t columns,
                     size_t width, float* out) {
  const V scale = splat(mat.scale);
  for (int32_t j = 0; j < columns; j += kWidth) {
    const float* row = mat.b + (size_t)(column + j) * mat.ldb + k;
    const int32_t lanes = least(kWidth, columns - j);
    int32_t i = 0;
    for (; !kSmallCode && lanes == kWidth && i + kWidth <= depth; i += kWidth) {
      pack_square(row + i, mat.ldb, scale, width, out + (size_t)i * width + j);
    }
    for (int32_t lane = 0; lane < lanes; ++lane, row += mat.ldb) {
      for (int32_t l = i; l < depth; ++l) {
        out[(size_t)l * width + (size_t)(j + lane)] = row[l] * mat.scale;
      }
    }
  }
}

// Rows [k, k + depth) and columns [column, column + columns) of b to [depth][width], zeros beyond.
void pack_b(const Matrices& mat, int32_t k, int32_t depth, int32_t column, int32_t columns,
            size_t width, float* out) {
  if (mat.transpose_b) {
    if ((size_t)columns < width) memset(out, 0, (size_t)depth * width * sizeof(float));
    return pack_transposed(mat, k, depth, column, columns, width, out);
  }
  for (int32_t i = 0; i < depth; ++i) {
    const float* row = mat.b + (size_t)(k + i) * mat.ldb + column;
    float* to = out + (size_t)i * width;
    for (int32_t j = 0; j < columns; ++j) to[j] = row[j] * mat.scale;
    for (size_t j = (size_t)columns; j < width; ++j) to[j] = 0;
  }
}

// A packed part of b, and where it stands.
struct PackedPart {
  const float* values;  // [depth][panels * 16]
  int32_t k, depth;
  int32_t column, columns, panels;
};

Tile part_tile(const Matrices& mat, const PackedPart& part) {
  Tile tile;
  tile.input = mat.a + part.k;
  tile.pixel_step = mat.lda;
  tile.weights = part.values;
  tile.start_panel = tile.out_panel = kLanes;
  tile.residual = nullptr;
  tile.rounded = false;
  tile.low = -__builtin_inff();
  tile.high = __builtin_inff();
  return tile;
}

Walk part_walk(const PackedPart& part) { return {1, 1, {1, part.depth}, {1, part.depth}, 0, 0, 0}; }

// All rows of c, columns of whole panels: straight into c.
void multiply_whole(const Matrices& mat, const PackedPart& part) {
  static constexpr float kZeros[kMatmulWidth] = {};
  Tile tile = part_tile(mat, part);
  tile.output = mat.c + part.column;
  tile.out_pixel = mat.ldc;
  tile.start = part.k == 0 ? kZeros : tile.output;
  tile.start_pixel = part.k == 0 ? 0 : tile.out_pixel;
  run_row(part_walk(part), tile, part.panels, mat.m);
}

// The last columns, fewer than a panel's lanes: through `sums`.
void multiply_rest(const Matrices& mat, const PackedPart& part) {
  alignas(64) float sums[kMatmulRows * kLanes];
  const size_t bytes = (size_t)part.columns * sizeof(float);
  for (int32_t row = 0; row < mat.m; row += kMatmulRows) {
    const int32_t rows = least(kMatmulRows, mat.m - row);
    float* c = mat.c + (size_t)row * mat.ldc + part.column;
    memset(sums, 0, sizeof sums);
    for (int32_t i = 0; part.k > 0 && i < rows; ++i) {
      memcpy(sums + i * kLanes, c + (size_t)i * mat.ldc, bytes);
    }
    Tile tile = part_tile(mat, part);
    tile.input += (size_t)row * mat.lda;
    tile.start = tile.output = sums;
    tile.start_pixel = tile.out_pixel = kLanes;
    run_row(part_walk(part), tile, 1, rows);
    for (int32_t i = 0; i < rows; ++i) memcpy(c + (size_t)i * mat.ldc, sums + i * kLanes, bytes);
  }
}

// Columns in parts of whole panels, and the last ones alone; k in even parts.
void matmul(const float* a, const float* b, float* c, int32_t m, int32_t n, int32_t k, size_t lda,
            size_t ldb, size_t ldc, int transpose_b, float scale) {
  const Matrices mat = {a, b, c, m, n, k, lda, ldb, ldc, transpose_b != 0, scale};
  alignas(64) float packed[kMatmulSlice * kMatmulWidth];
  const int32_t slices = ceil_div(k, kMatmulSlice);
  for (int32_t column = 0, columns; column < n; column += columns) {
    const int32_t left = n - column;
    columns = left < kLanes ? left : least(kMatmulWidth, left / kLanes * kLanes);
    const int32_t panels = ceil_div(columns, kLanes);
    for (int32_t slice = 0, k0 = 0; slice < slices; ++slice) {
      const int32_t depth = (k - k0) / (slices - slice);
      pack_b(mat, k0, depth, column, columns, (size_t)panels * kLanes, packed);
      const PackedPart part = {packed, k0, depth, column, columns, panels};
      (kSmallCode || columns < kLanes ? multiply_rest : multiply_whole)(mat, part);
      k0 += depth;
    }
  }
}

}  // namespace
}  // namespace pocketlens

#endif
