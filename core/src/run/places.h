// What is placed in the arena, in the order of its addresses: where is the lowest gap for what
// lives from one step to another?
//
// Blocks of neighbours tell what a search needs to know of all of them at once: nobody lives then,
// or everybody does and there is no gap between them that is wide enough. A search so passes most
// blocks in a step: with n buffers that all live together, or that follow each other, n searches
// take about n sqrt(n) steps, not n n log n.
#ifndef POCKETLENS_RUN_PLACES_H
#define POCKETLENS_RUN_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"

namespace pocketlens {

struct Placed {
  uint64_t at, end;     // addresses, from `at` to before `end`
  int32_t first, last;  // steps that it lives in, both included
};

class Places {
 public:
  // The lowest address with room for `count` that nobody needs from step `first` to `last`.
  uint64_t lowest(uint64_t count, int32_t first, int32_t last) const;

  // Takes it. False where there was no memory.
  [[nodiscard]] bool add(const Placed& placed);

 private:
  static constexpr size_t kMost = 128;

  // Neighbours, and what holds for all of them.
  struct Block {
    size_t count = 0;
    uint64_t end = 0;  // the largest
    uint64_t gap = 0;  // the widest between them, if everybody lives
    int32_t earliest_first = 0, latest_first = 0, earliest_last = 0, latest_last = 0;
    Placed items[kMost] = {};

    void look();
    void insert(const Placed& placed);
  };

  size_t block_for(const Placed& placed) const;
  [[nodiscard]] bool split(size_t number);

  Array<Owned<Block>> blocks_;
};

}  // namespace pocketlens

#endif
