// Weights <-> half-precision codes <-> palette indices: how often each code occurs, the best
// palette for that, and which palette value each weight becomes. One pass over the weights each.
#ifndef POCKETLENS_PALETTE_ASSIGN_H
#define POCKETLENS_PALETTE_ASSIGN_H

#include <stddef.h>
#include <stdint.h>

#include "palette/half.h"

namespace pocketlens::palette {

constexpr size_t kLargestPalette = 256;

// Adds to bins[code] how many of `count` weights round to that half-precision code; infinity and
// NaN have codes like any other. Fewer than 2^44 weights.
void count_codes(const float* weights, size_t count, int64_t* bins);

// bins[code] = the importances of the weights of that code, summed in order of the weights in
// double precision into `sums` (kHalfCodes zeros when called), then scaled by a power of two so
// that all together stay below 2^44, and rounded; at least 1 where the sum is above 0.
// Importances are finite and not negative. False where they are all 0.
bool weigh_codes(const float* weights, const float* importance, size_t count, double* sums,
                 int64_t* bins);

// The best palette of at most `size` (1 to 256) values for the finite codes with bins above 0:
// optimal centroids, each rounded to half precision, ascending. Gives how many; 0 where memory is
// short or no bin is above 0. With at most `size` such codes the palette is exactly those, -0 as 0.
size_t choose_palette(const int64_t* bins, size_t size, uint16_t* palette);

struct Sums {
  double error;   // importance x (weight - palette value)^2, against the weights as given
  double energy;  // importance x weight^2
};

// indices[i] = which of `size` palette values is nearest to weight i rounded to half precision;
// halfway between two, the smaller value. Palette ascending, finite; weights finite.
// `importance` may be null: all 1. The sums do not depend on the instruction set.
Sums assign_indices(const float* weights, const float* importance, size_t count,
                    const uint16_t* palette, size_t size, uint8_t* indices);

}  // namespace pocketlens::palette

#endif
