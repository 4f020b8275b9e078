// See both_ways.h.
#include "palette/both_ways.h"

#include <string.h>

#include <memory>
#include <new>

#include "palette/choose_level.h"
#include "palette/columns.h"
#include "palette/subtract.h"

namespace pocketlens::palette {
namespace {

// Codes column j: `column` is what it has become, `moving` is scratch of its length. `errors` gets
// what later columns are to make good.
void code_column(const Grid& grid, size_t j, const Codebook& codebook, double lagrangian,
                 Subtract subtract, const float* column, float* moving, float* errors,
                 uint8_t* indices, float* targets, Tally* tally) {
  const size_t outputs = grid.outputs;
  const double diagonal = grid.across[j * grid.columns + j];
  memcpy(moving, column, outputs * sizeof(float));
  for (size_t o = 0; o < outputs; ++o) {
    const float* row = grid.down + o * outputs;
    const double pivot = diagonal * row[o];
    const double curvature = 1.0 / (pivot * pivot);
    const float x = moving[o];
    const size_t level = choose_level(x, curvature, lagrangian, codebook);
    indices[o] = static_cast<uint8_t>(level);
    targets[o] = x;
    const double e = static_cast<double>(x) - codebook.values[level];
    tally->distortion += curvature * e * e;
    tally->bits += codebook.bits[level];
    const float error = static_cast<float>(e / row[o]);
    subtract({row + o + 1, 0, &error, 0, 1}, outputs - o - 1, moving + o + 1);
    errors[o] =
        static_cast<float>((static_cast<double>(column[o]) - codebook.values[level]) / diagonal);
  }
}

}  // namespace

bool code_grid(const Grid& grid, const Codebook& codebook, double lagrangian, uint8_t* indices,
               float* targets, Tally* tally) {
  const size_t outputs = grid.outputs;
  std::unique_ptr<float[]> moving(new (std::nothrow) float[outputs]);
  if (!moving) return false;
  const Subtract subtract = choose_subtract();
  *tally = {0.0, 0.0};
  return code_columns(grid, [&](size_t j, const float* column, float* errors) {
    code_column(grid, j, codebook, lagrangian, subtract, column, moving.get(), errors,
                indices + j * outputs, targets + j * outputs, tally);
  });
}

}  // namespace pocketlens::palette
