// Which level of a codebook a weight becomes, by its error and its bits.
#ifndef POCKETLENS_PALETTE_CHOOSE_LEVEL_H
#define POCKETLENS_PALETTE_CHOOSE_LEVEL_H

#include <stddef.h>

#include "palette/feedback.h"

namespace pocketlens::palette {

// The level with the least (x - value)^2 x curvature + rate x bits; the nearest of equals.
inline size_t choose_level(float x, double curvature, double rate, const Codebook& codebook) {
  size_t low = 0;
  size_t high = codebook.size - 1;
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    (codebook.values[middle] <= x ? low : high) = middle;
  }
  const auto lost = [&](size_t level) {
    const double e = static_cast<double>(x) - codebook.values[level];
    return curvature * e * e;
  };
  size_t best = high != low && lost(high) < lost(low) ? high : low;
  const size_t nearest = best;
  double least = lost(best) + rate * codebook.bits[best];
  const auto consider = [&](size_t level) {
    const double distortion = lost(level);
    if (distortion >= least) return false;  // and so are all levels beyond
    const double cost = distortion + rate * codebook.bits[level];
    if (cost < least) {
      least = cost;
      best = level;
    }
    return true;
  };
  for (size_t level = nearest; level-- > 0;) {
    if (!consider(level)) break;
  }
  for (size_t level = nearest + 1; level < codebook.size; ++level) {
    if (!consider(level)) break;
  }
  return best;
}

}  // namespace pocketlens::palette

#endif
