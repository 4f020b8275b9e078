// Choosing indices with error feedback: what a weight's rounding does to the layer's output is made
// good, as far as it can be, by the weights of the same output that come after it.
//
// Optimal brain surgeon in a fixed order (Frantar et al., "GPTQ", 2022): with H = U'U inverse, U
// upper triangular, rounding column j by an error e_j costs (e_j / U_jj)^2 once every later column
// has been moved by -e_j U_jt / U_jj. The choice of each index weighs that cost against its bits.
#ifndef POCKETLENS_PALETTE_FEEDBACK_H
#define POCKETLENS_PALETTE_FEEDBACK_H

#include <stddef.h>
#include <stdint.h>

namespace pocketlens::palette {

// Outputs in `groups` equal runs; each group has a square matrix of its own.
struct Rows {
  const float* weights;  // outputs x columns
  const double* worth;   // outputs, above 0: cost of a unit of squared error of that output
  size_t outputs;
  size_t columns;
  size_t groups;
};

// Values ascending, at least 1 and at most 256; bits an index of each costs.
struct Codebook {
  const float* values;
  const float* bits;
  size_t size;
};

struct Tally {
  double distortion;  // sum of worth x (e_j / U_jj)^2
  double bits;
};

// Chooses all indices; `factors` is groups x columns x columns, U of each group's inverse.
// indices  outputs x columns
// targets  outputs x columns: what each weight had become when its index was chosen
// False where memory is short. The result does not depend on the instruction set.
bool code_rows(const Rows& rows, const float* factors, const Codebook& codebook, double lagrangian,
               uint8_t* indices, float* targets, Tally* tally);

// Adds to `matrix` (size x size) and `vector` (size) the normal equations of the palette values v
// that minimise sum over outputs of worth x (w - v[z])' C (w - v[z]): matrix v = vector.
// `covariances` is groups x columns x columns, symmetric. False where memory is short.
bool add_normal_equations(const Rows& rows, const float* covariances, const uint8_t* indices,
                          size_t size, double* matrix, double* vector);

}  // namespace pocketlens::palette

#endif
