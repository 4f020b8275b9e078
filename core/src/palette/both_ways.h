// Error feedback along columns and outputs, where the cost of errors E is tr(G E C E'): C says how
// the inputs of a layer go together, G how its outputs do.
//
// With both triangular, as in feedback.h, the weights after one in its column and all later columns
// make its error good together; no order of the others does better (Tseng, Sun and De Sa, "Model-
// preserving adaptive rounding", 2025, use such a product of two matrices as Hessian).
#ifndef POCKETLENS_PALETTE_BOTH_WAYS_H
#define POCKETLENS_PALETTE_BOTH_WAYS_H

#include <stddef.h>
#include <stdint.h>

#include "palette/feedback.h"

namespace pocketlens::palette {

// weights  columns x outputs, in the order of coding
// across   columns x columns: U of the inverse of C; down: outputs x outputs, likewise of G
struct Grid {
  const float* weights;
  const float* across;
  const float* down;
  size_t columns;
  size_t outputs;
};

// Chooses all indices; `indices` and `targets` are columns x outputs, as in code_rows.
// False where memory is short. The result does not depend on the instruction set.
bool code_grid(const Grid& grid, const Codebook& codebook, double lagrangian, uint8_t* indices,
               float* targets, Tally* tally);

}  // namespace pocketlens::palette

#endif
