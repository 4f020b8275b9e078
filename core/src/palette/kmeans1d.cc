// See kmeans1d.h for what is solved and whose method it is.
#include "palette/kmeans1d.h"

#include <memory>
#include <new>

namespace pocketlens::palette {
namespace {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

// Sums over the points before a position. Exact: weights below 2^44, values below 2^40.
struct Sums {
  int64_t weight;
  Int128 first;    // weight x value
  Uint128 second;  // weight x value^2
};

constexpr double kTwo64 = 18446744073709551616.0;

inline double to_double(Uint128 x) {
  const uint64_t high = static_cast<uint64_t>(x >> 64);
  const uint64_t low = static_cast<uint64_t>(x);
  if (high == 0 && low >> 63 == 0) return static_cast<double>(static_cast<int64_t>(low));
  return static_cast<double>(high) * kTwo64 + static_cast<double>(low);
}

inline double to_double(Int128 x) {
  return x < 0 ? -to_double(-static_cast<Uint128>(x)) : to_double(static_cast<Uint128>(x));
}

// A way from 0 to the number of points: the cuts, and the distortion of its runs.
struct Path {
  std::unique_ptr<uint32_t[]> cuts;
  size_t runs = 0;
  double distortion = 0;
};

class Search {
 public:
  explicit Search(const Points& points) : points_(points), count_(points.count) {}

  bool reserve() {
    const size_t positions = count_ + 1;
    sums_.reset(new (std::nothrow) Sums[positions]);
    best_.reset(new (std::nothrow) double[positions]);
    parent_.reset(new (std::nothrow) uint32_t[positions]);
    runs_.reset(new (std::nothrow) uint32_t[positions]);
    queue_.reset(new (std::nothrow) Candidate[positions]);
    coarse_.cuts.reset(new (std::nothrow) uint32_t[positions]);
    fine_.cuts.reset(new (std::nothrow) uint32_t[positions]);
    return sums_ && best_ && parent_ && runs_ && queue_ && coarse_.cuts && fine_.cuts;
  }

  void run(size_t wanted, uint32_t* cuts);

 private:
  struct Candidate {
    uint32_t start;  // a last run that starts here
    uint32_t from;   // is the best one for ends from here on
  };

  void fill_sums();
  double cost(size_t begin, size_t end) const;
  double via(size_t start, size_t end) const { return best_[start] + cost(start, end); }
  size_t solve(double lambda);
  void push(size_t start, size_t* tail, size_t head);
  size_t first_better(size_t start, size_t rival, size_t low) const;
  void trace(Path* path) const;
  void splice(size_t wanted, uint32_t* cuts) const;

  const Points points_;
  const size_t count_;
  std::unique_ptr<Sums[]> sums_;
  std::unique_ptr<double[]> best_;      // least distortion + lambda x runs up to a position
  std::unique_ptr<uint32_t[]> parent_;  // where the last run of that starts
  std::unique_ptr<uint32_t[]> runs_;    // and how many runs it has
  std::unique_ptr<Candidate[]> queue_;
  Path coarse_;  // optimal for its number of runs, which is below the wanted one
  Path fine_;    // likewise, above it
};

void Search::fill_sums() {
  sums_[0] = Sums{0, 0, 0};
  for (size_t i = 0; i < count_; ++i) {
    const int64_t weight = points_.weights[i];
    const Int128 first = static_cast<Int128>(points_.values[i]) * weight;
    const Uint128 second = static_cast<Uint128>(first * points_.values[i]);
    sums_[i + 1] = Sums{sums_[i].weight + weight, sums_[i].first + first, sums_[i].second + second};
  }
}

// Sum of weight x (value - mean)^2 over the points [begin, end), taken about a whole number next to
// the mean in exact integers: nothing is lost by cancellation, however far the points are from 0.
double Search::cost(size_t begin, size_t end) const {
  const Sums& a = sums_[begin];
  const Sums& b = sums_[end];
  const int64_t weight = b.weight - a.weight;
  const Int128 first = b.first - a.first;
  const double w = static_cast<double>(weight);
  const int64_t pivot = static_cast<int64_t>(to_double(first) / w);
  const int64_t rest =
      static_cast<int64_t>(static_cast<uint64_t>(first) - static_cast<uint64_t>(pivot) * weight);
  const Uint128 about = static_cast<Uint128>(first) + static_cast<Uint128>(Int128{rest});
  const Uint128 second = b.second - a.second - static_cast<Uint128>(Int128{pivot}) * about;
  const double r = static_cast<double>(rest);
  return to_double(second) - r * r / w;  // a product, a quotient: the same with and without FMA
}

// The first end above `low` for which a run from `start` is better than one from `rival`, or
// count_ + 1. At `low` it is not; that once better stays better is Monge's property.
size_t Search::first_better(size_t start, size_t rival, size_t low) const {
  size_t high = low + 1;
  for (size_t step = 1;; step *= 2) {  // it is nearly always close
    if (high > count_) {
      high = count_ + 1;
      break;
    }
    if (via(start, high) <= via(rival, high)) break;
    low = high;
    high += step;
  }
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (via(start, middle) <= via(rival, middle)) {
      high = middle;
    } else {
      low = middle;
    }
  }
  return high;
}

void Search::push(size_t start, size_t* tail, size_t head) {
  for (;;) {
    const Candidate last = queue_[*tail - 1];
    const bool now = last.from <= start;  // it is the best for the very next end
    const size_t at = now ? start + 1 : last.from;
    if (via(start, at) > via(last.start, at)) {
      const size_t from = first_better(start, last.start, at);
      if (from > count_) return;
      queue_[(*tail)++] = Candidate{static_cast<uint32_t>(start), static_cast<uint32_t>(from)};
      return;
    }
    --*tail;
    if (now || *tail == head) break;
  }
  queue_[(*tail)++] = Candidate{static_cast<uint32_t>(start), static_cast<uint32_t>(start + 1)};
}

// Fills best_, parent_ and runs_ for one price of a run; gives the number of runs.
size_t Search::solve(double lambda) {
  best_[0] = 0;
  runs_[0] = 0;
  queue_[0] = Candidate{0, 1};
  size_t head = 0, tail = 1;
  for (size_t end = 1; end <= count_; ++end) {
    while (tail - head > 1 && queue_[head + 1].from <= end) ++head;
    const uint32_t start = queue_[head].start;
    best_[end] = via(start, end) + lambda;
    parent_[end] = start;
    runs_[end] = runs_[start] + 1;
    if (end < count_) push(end, &tail, head);
  }
  return runs_[count_];
}

void Search::trace(Path* path) const {
  path->runs = runs_[count_];
  path->distortion = 0;
  size_t end = count_;
  path->cuts[path->runs] = static_cast<uint32_t>(end);
  for (size_t run = path->runs; run-- > 0;) {
    const size_t start = parent_[end];
    path->distortion += cost(start, end);
    path->cuts[run] = static_cast<uint32_t>(start);
    end = start;
  }
}

// coarse_ and fine_ are both optimal at one lambda. Somewhere a run of fine_ lies inside the run of
// coarse_ that stands (wanted - coarse_.runs) places earlier; to go along fine_ up to that run's
// start and along coarse_ from the other's end makes exactly `wanted` runs, and by Monge's property
// it is optimal too (lemma of Aggarwal, Schieber and Tokuyama).
void Search::splice(size_t wanted, uint32_t* cuts) const {
  const size_t ahead = wanted - coarse_.runs;
  size_t i = 0;
  while (fine_.cuts[i + 1 + ahead] > coarse_.cuts[i + 1]) ++i;
  for (size_t run = 0; run <= i + ahead; ++run) cuts[run] = fine_.cuts[run];
  for (size_t run = i + 1; run <= coarse_.runs; ++run) cuts[run + ahead] = coarse_.cuts[run];
}

void Search::run(size_t wanted, uint32_t* cuts) {
  fill_sums();
  const double whole = cost(0, count_);
  coarse_.runs = 1;
  coarse_.cuts[0] = 0;
  coarse_.cuts[1] = static_cast<uint32_t>(count_);
  coarse_.distortion = whole;
  fine_.runs = count_;
  for (size_t i = 0; i <= count_; ++i) fine_.cuts[i] = static_cast<uint32_t>(i);
  fine_.distortion = 0;
  // Runs as a function of lambda fall from count_ (two neighbours cost at least half a unit
  // squared) to 1. Where weights are spread smoothly they go as lambda^(-1/3) (Panter and Dite,
  // 1951).
  double low = 0.25, high = whole;
  const double k = static_cast<double>(wanted);
  double lambda = 5.4 * whole / (k * k * k);
  for (int step = 1; coarse_.runs < wanted && fine_.runs > wanted; ++step) {
    const bool chord = step % 3 == 0;
    if (chord) {  // the price at which both ways cost the same
      lambda =
          (coarse_.distortion - fine_.distortion) / static_cast<double>(fine_.runs - coarse_.runs);
    } else if (!(lambda > low && lambda < high)) {
      lambda = __builtin_sqrt(low) * __builtin_sqrt(high);
    }
    const size_t runs = solve(lambda);
    const double both = coarse_.distortion + lambda * static_cast<double>(coarse_.runs);
    const bool between = runs > coarse_.runs && runs < fine_.runs;
    if (runs != wanted && chord && (!between || best_[count_] >= both * (1 - 1e-13))) {
      return splice(wanted, cuts);  // nothing is better at this lambda: both are optimal
    }
    if (runs <= wanted && runs >= coarse_.runs) {
      trace(&coarse_);
      high = lambda;
    }
    if (runs >= wanted && runs <= fine_.runs) {
      trace(&fine_);
      low = lambda;
    }
    const double ratio = static_cast<double>(runs) / k;
    lambda *= ratio * ratio * ratio;
  }
  const Path& found = coarse_.runs == wanted ? coarse_ : fine_;
  for (size_t i = 0; i <= wanted; ++i) cuts[i] = found.cuts[i];
}

}  // namespace

bool cut_points(const Points& points, size_t runs, uint32_t* cuts) {
  Search search(points);
  if (!search.reserve()) return false;
  search.run(runs, cuts);
  return true;
}

}  // namespace pocketlens::palette
