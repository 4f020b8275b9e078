// See rate_distortion.h. From every end the beginnings are tried from the nearest on, and the
// search ends as soon as a bound says that no earlier beginning can win.
#include "palette/rate_distortion.h"

#include <math.h>

#include <algorithm>
#include <memory>
#include <new>

namespace pocketlens::palette {
namespace {

// Bits of n indices that each have the chance n / total.
double index_bits(double n, double total) { return n * log2(total / n); }

double distortion(const BinSums& sums, size_t begin, size_t end) {
  const double importance = sums.importance[end] - sums.importance[begin];
  if (importance <= 0.0) return 0.0;
  const double moment = sums.moment[end] - sums.moment[begin];
  const double spread = sums.square[end] - sums.square[begin] - moment * moment / importance;
  return spread > 0.0 ? spread : 0.0;
}

}  // namespace

size_t cut_by_rate(const BinSums& sums, double lagrangian, double price, uint32_t* cuts) {
  const size_t count = sums.count;
  std::unique_ptr<double[]> least(new (std::nothrow) double[count + 1]);
  std::unique_ptr<double[]> prefix_rate(new (std::nothrow) double[count + 1]);
  std::unique_ptr<uint32_t[]> from(new (std::nothrow) uint32_t[count + 1]);
  if (!least || !prefix_rate || !from) return 0;
  const double total = sums.weights[count];
  for (size_t i = 0; i <= count; ++i) {
    prefix_rate[i] = i == 0 ? 0.0 : lagrangian * index_bits(sums.weights[i], total);
  }
  least[0] = 0.0;
  for (size_t end = 1; end <= count; ++end) {
    double best = INFINITY;
    uint32_t best_begin = 0;
    for (size_t begin = end; begin-- > 0;) {
      const double lost = distortion(sums, begin, end);
      const double n = sums.weights[end] - sums.weights[begin];
      const double cost = least[begin] + lost + lagrangian * index_bits(n, total) + price;
      if (cost < best) {
        best = cost;
        best_begin = static_cast<uint32_t>(begin);
      }
      // A run from before `begin` loses at least `lost` more than its part up to `begin`, and as
      // n log2(N / n) is concave, its rate grows by the least where it begins at 0.
      if (least[begin] + lost + prefix_rate[end] - prefix_rate[begin] >= best) break;
    }
    least[end] = best;
    from[end] = best_begin;
  }
  size_t runs = 0;
  for (size_t end = count; end > 0; end = from[end]) cuts[runs++] = static_cast<uint32_t>(end);
  cuts[runs] = 0;
  std::reverse(cuts, cuts + runs + 1);
  return runs;
}

}  // namespace pocketlens::palette
