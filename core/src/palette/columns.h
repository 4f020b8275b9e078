// Columns coded one after the other, each error handed on to later columns; moves of columns beyond
// the current block are put off and done at once.
#ifndef POCKETLENS_PALETTE_COLUMNS_H
#define POCKETLENS_PALETTE_COLUMNS_H

#include <stddef.h>
#include <string.h>

#include <memory>
#include <new>

#include "palette/both_ways.h"
#include "palette/subtract.h"

namespace pocketlens::palette {

// code(j, column, errors) codes column j from what it has become, and fills what later columns are
// to make good; both are `grid.outputs` floats. False where there is no memory.
template <class Code>
[[nodiscard]] bool code_columns(const Grid& grid, Code code) {
  constexpr size_t kBlock = 16;
  const size_t outputs = grid.outputs, columns = grid.columns;
  std::unique_ptr<float[]> work(new (std::nothrow) float[outputs * columns]);
  std::unique_ptr<float[]> errors(new (std::nothrow) float[outputs * kBlock]);
  if (!work || !errors) return false;
  memcpy(work.get(), grid.weights, outputs * columns * sizeof(float));
  const Subtract subtract = choose_subtract();
  for (size_t first = 0; first < columns; first += kBlock) {
    const size_t end = first + kBlock < columns ? first + kBlock : columns;
    for (size_t j = first; j < end; ++j) {
      const float* across = grid.across + j * columns;
      float* error = errors.get() + (j - first) * outputs;
      code(j, work.get() + j * outputs, error);
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

#endif
