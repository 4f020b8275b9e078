// The lowest gap is the one that a plain look at everything finds, however buffers live: all at
// once, one after the other, at random, few or thousands.
#include "run/places.h"

#include <stdio.h>

#include <algorithm>
#include <vector>

#include "kernels_cases.h"

namespace pocketlens::test {
namespace {

int failures = 0;

struct Life {
  uint64_t size;
  int32_t first, last;
};

// Every buffer at the lowest address that is free as long as it lives, by sorting all that are in
// its way.
std::vector<uint64_t> plain(const std::vector<Life>& lives) {
  std::vector<uint64_t> places;
  for (size_t i = 0; i < lives.size(); ++i) {
    std::vector<std::pair<uint64_t, uint64_t>> taken;
    for (size_t k = 0; k < i; ++k) {
      if (lives[k].first > lives[i].last || lives[k].last < lives[i].first) continue;
      taken.emplace_back(places[k], places[k] + lives[k].size);
    }
    std::sort(taken.begin(), taken.end());
    uint64_t at = 0;
    for (const auto& [start, end] : taken) {
      if (start >= at + lives[i].size) break;
      at = std::max(at, end);
    }
    places.push_back(at);
  }
  return places;
}

std::vector<uint64_t> placed(const std::vector<Life>& lives) {
  Places places;
  std::vector<uint64_t> made;
  for (const Life& life : lives) {
    const uint64_t at = places.lowest(life.size, life.first, life.last);
    if (!places.add({at, at + life.size, life.first, life.last})) ++failures;
    made.push_back(at);
  }
  return made;
}

// `span` is how many steps a buffer lives at most; the largest buffer first where `sorted`.
std::vector<Life> draw(Random& random, int count, int span, int sizes, bool sorted) {
  std::vector<Life> lives;
  for (int i = 0; i < count; ++i) {
    const int32_t first = random.below(count);
    lives.push_back({(uint64_t)(1 + random.below(sizes)), first, first + random.below(span)});
  }
  const auto larger = [](const Life& x, const Life& y) { return x.size > y.size; };
  if (sorted) std::stable_sort(lives.begin(), lives.end(), larger);
  return lives;
}

void compare(const std::vector<Life>& lives, const char* what) {
  if (placed(lives) == plain(lives)) return;
  ++failures;
  printf("FAILED %s, %zu buffers\n", what, lives.size());
}

// No two that live at the same time share an address: a sweep over the steps.
void judge(const std::vector<Life>& lives, const char* what) {
  const std::vector<uint64_t> made = placed(lives);
  std::vector<size_t> order(lives.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t x, size_t y) { return made[x] < made[y]; });
  for (size_t i = 0; i < order.size(); ++i) {
    const Life& one = lives[order[i]];
    for (size_t k = i + 1; k < order.size(); ++k) {
      const Life& other = lives[order[k]];
      if (made[order[k]] >= made[order[i]] + one.size) break;
      if (other.first > one.last || other.last < one.first) continue;
      ++failures;
      printf("FAILED %s: two share an address\n", what);
      return;
    }
  }
}

}  // namespace
}  // namespace pocketlens::test

int main() {
  using namespace pocketlens::test;
  Random random(5);
  for (int repeat = 0; repeat < 60; ++repeat) {
    const int count = 1 + random.below(700), span = 1 + random.below(2 * count);
    compare(draw(random, count, span, 1 + random.below(300), true), "random lives");
    compare(draw(random, count / 2 + 1, span, 40, false), "random lives in any order");
  }
  compare(draw(random, 3000, 400, 1000, true), "many random lives");
  const int many = 16000;
  std::vector<Life> all, chain;
  for (int i = 0; i < many; ++i) {
    all.push_back({(uint64_t)(2 * many - i), i, 2 * many - i});
    chain.push_back({(uint64_t)(many - i / 2), i / 2, i / 2 + 1});
  }
  judge(all, "all live together");
  judge(chain, "one after the other");
  judge(draw(random, many, 3000, 5000, true), "thousands of random lives");
  printf("places_test: %d failures\n", failures);
  return failures != 0;
}
