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

namespace pocketlens {

struct Placed {
  uint64_t at, end;     // addresses, from `at` to before `end`
  int32_t first, last;  // steps that it lives in, both included
};

class Places {
 public:
  Places() = default;
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;
  ~Places();

  // The lowest address with room for `count` that nobody needs from step `first` to `last`.
  uint64_t lowest(uint64_t count, int32_t first, int32_t last) const;

  // Takes it. False where there was no memory.
  [[nodiscard]] bool add(const Placed& placed);

 private:
  static constexpr size_t kMost = 128;

  // Neighbours, and what holds for all of them.
  struct Block {
    Block* next;
    size_t count;
    uint64_t end;  // the largest
    uint64_t gap;  // the widest between them, if everybody lives
    int32_t earliest_first, latest_first, earliest_last, latest_last;
    Placed items[kMost];

    void look();
    void insert(const Placed& placed);
  };

  Block* first_ = nullptr;
};

}  // namespace pocketlens

#endif
