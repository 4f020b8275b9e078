// The palette that is cheapest in distortion + rate: entropy-constrained scalar quantization (Chou,
// Lookabaugh and Gray, "Entropy-constrained vector quantization", 1989), in one dimension exactly.
//
// Levels stand for runs of bins. A run of n of all N weights costs its distortion about its mean,
// lagrangian x n log2(N / n) for its indices, and a price for being there. The cost of a run
// does not depend on the other runs, so the least sum is a shortest path over the bins.
#ifndef POCKETLENS_PALETTE_RATE_DISTORTION_H
#define POCKETLENS_PALETTE_RATE_DISTORTION_H

#include <stddef.h>
#include <stdint.h>

namespace pocketlens::palette {

// Sums over the bins before each place, places 0 to `count`; bins ascend by value and every bin
// has at least one weight.
//   weights     how many
//   importance  of them together
//   moment      importance x value; values best centred, so that nothing cancels
//   square      importance x value^2
struct BinSums {
  const double* weights;
  const double* importance;
  const double* moment;
  const double* square;
  size_t count;
};

// Writes cuts[0] = 0 < cuts[1] < ... < cuts[runs] = count of the cheapest runs, and gives how many;
// room for count + 1. 0 where memory is short. Lagrangian and price are not negative.
size_t cut_by_rate(const BinSums& sums, double lagrangian, double price, uint32_t* cuts);

}  // namespace pocketlens::palette

#endif
