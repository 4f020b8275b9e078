// See both_ways.h. Moves of columns beyond the current kBlock are put off and done at once.
#include "palette/both_ways.h"

#include <string.h>

#include <memory>
#include <new>

#include "palette/choose_level.h"
#include "palette/subtract.h"

namespace pocketlens::palette {
namespace {

constexpr size_t kBlock = 16;

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
  const size_t columns = grid.columns;
  std::unique_ptr<float[]> work(new (std::nothrow) float[outputs * columns]);
  std::unique_ptr<float[]> errors(new (std::nothrow) float[outputs * kBlock]);
  std::unique_ptr<float[]> moving(new (std::nothrow) float[outputs]);
  if (!work || !errors || !moving) return false;
  memcpy(work.get(), grid.weights, outputs * columns * sizeof(float));
  const Subtract subtract = choose_subtract();
  *tally = {0.0, 0.0};
  for (size_t first = 0; first < columns; first += kBlock) {
    const size_t end = first + kBlock < columns ? first + kBlock : columns;
    for (size_t j = first; j < end; ++j) {
      const float* across = grid.across + j * columns;
      float* error = errors.get() + (j - first) * outputs;
      code_column(grid, j, codebook, lagrangian, subtract, work.get() + j * outputs, moving.get(),
                  error, indices + j * outputs, targets + j * outputs, tally);
      for (size_t t = j + 1; t < end; ++t) {
        subtract({error, outputs, across + t, columns, 1}, outputs, work.get() + t * outputs);
      }
    }
    for (size_t t = end; t < columns; ++t) {
      subtract({errors.get(), outputs, grid.across + first * columns + t, columns, end - first},
               outputs, work.get() + t * outputs);
    }
  }
  return true;
}

}  // namespace pocketlens::palette
