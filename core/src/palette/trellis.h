// Error feedback with indices chosen along a trellis (base/trellis.h): the weights of a column are
// chosen together, down the outputs, by Viterbi's algorithm; then later columns make their errors
// good as in feedback.h.
//
// The cost counts bits as well (Fischer and Wang, "Entropy-constrained trellis-coded quantization",
// 1992). Where outputs make errors of each other good (both_ways.h), every one of the 8 paths that
// survive has moved the outputs ahead by its own errors: per-survivor processing (Raheli, Polydoros
// and Tzou, 1995), which is no longer the least of all paths, but near it.
#ifndef POCKETLENS_PALETTE_TRELLIS_H
#define POCKETLENS_PALETTE_TRELLIS_H

#include <stddef.h>
#include <stdint.h>

#include "palette/both_ways.h"
#include "palette/feedback.h"

namespace pocketlens::palette {

// Chooses all indices, which are places in the codebook of at least 4 values; plane numbers are
// half of them. Both values of a number have the same bits. grid   `down` null: every output makes
// good its own errors alone worth  outputs, above 0: cost of a unit of squared error; not read
// where `down` is there `indices` and `targets` are columns x outputs, as in code_grid. False where
// memory is short. The result does not depend on the instruction set.
bool code_trellis(const Grid& grid, const double* worth, const Codebook& codebook,
                  double lagrangian, uint8_t* indices, float* targets, Tally* tally);

}  // namespace pocketlens::palette

#endif
