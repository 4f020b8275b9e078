// Globally optimal one-dimensional k-means on weighted points.
//
// An optimal clustering of points on a line cuts their order into runs. The least distortion with
// exactly k runs is found by a Lagrangian search (every run costs lambda; Aggarwal, Schieber and
// Tokuyama, "Finding a minimum-weight k-link path in graphs with the concave Monge property",
// 1994): one penalised pass takes O(n log n) whatever k is.
#ifndef POCKETLENS_PALETTE_KMEANS1D_H
#define POCKETLENS_PALETTE_KMEANS1D_H

#include <stddef.h>
#include <stdint.h>

namespace pocketlens::palette {

// values   ascending, all different, |value| < 2^40
// weights  above 0, their sum below 2^44
// count    at least 1, below 2^32
struct Points {
  const int64_t* values;
  const int64_t* weights;
  size_t count;
};

// Writes cuts[0] = 0 < cuts[1] < ... < cuts[runs] = count so that
// sum over runs of sum weight x (value - mean of the run)^2 is least, 1 <= runs <= count.
// Distortions are computed from exact integer sums, each to about 2^-52 of itself; the result is
// optimal up to that rounding (1e-13 of the distortion, together with lambda x runs).
// False where memory is short.
bool cut_points(const Points& points, size_t runs, uint32_t* cuts);

}  // namespace pocketlens::palette

#endif
