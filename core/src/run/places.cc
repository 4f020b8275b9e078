#include "run/places.h"

#include <string.h>

#include <new>

namespace pocketlens {
namespace {

// Those at one address follow each other as they live, so that a block of them is of one time.
bool stands_before(const Placed& x, const Placed& y) {
  return x.at != y.at ? x.at < y.at : x.first < y.first;
}

template <typename T>
T smaller(T a, T b) {
  return a < b ? a : b;
}

template <typename T>
T larger(T a, T b) {
  return a < b ? b : a;
}

}  // namespace

void Places::Block::look() {
  const Placed& start = items[0];
  end = start.end;
  gap = 0;
  earliest_first = latest_first = start.first;
  earliest_last = latest_last = start.last;
  for (size_t i = 1; i < count; ++i) {
    const Placed& item = items[i];
    if (item.at > end) gap = larger(gap, item.at - end);
    end = larger(end, item.end);
    earliest_first = smaller(earliest_first, item.first);
    latest_first = larger(latest_first, item.first);
    earliest_last = smaller(earliest_last, item.last);
    latest_last = larger(latest_last, item.last);
  }
}

void Places::Block::insert(const Placed& placed) {
  size_t at = count;
  for (; at > 0 && stands_before(placed, items[at - 1]); --at) items[at] = items[at - 1];
  items[at] = placed;
  ++count;
  look();
}

Places::~Places() {
  while (first_ != nullptr) {
    Block* const next = first_->next;
    delete first_;
    first_ = next;
  }
}

uint64_t Places::lowest(uint64_t count, int32_t first, int32_t last) const {
  uint64_t at = 0;
  for (const Block* block = first_; block != nullptr; block = block->next) {
    if (block->items[0].at >= at + count) break;
    if (block->earliest_first > last || block->latest_last < first) continue;
    if (block->latest_first <= last && block->earliest_last >= first && block->gap < count) {
      at = larger(at, block->end);
      continue;
    }
    for (size_t i = 0; i < block->count; ++i) {
      const Placed& item = block->items[i];
      if (item.at >= at + count) return at;
      const bool lives = (item.first <= last) & (item.last >= first);  // at random: no branch
      at = larger(at, lives ? item.end : 0);
    }
  }
  return at;
}

bool Places::add(const Placed& placed) {
  if (first_ == nullptr) {
    first_ = new (std::nothrow) Block;
    if (first_ == nullptr) return false;
    first_->next = nullptr;
    first_->count = 0;
  }
  Block* block = first_;  // the last one that begins before it
  while (block->next != nullptr && !stands_before(placed, block->next->items[0])) {
    block = block->next;
  }
  if (block->count == kMost) {
    Block* const half = new (std::nothrow) Block;
    if (half == nullptr) return false;
    half->next = block->next;
    block->next = half;
    half->count = block->count = kMost / 2;
    memcpy(half->items, block->items + kMost / 2, kMost / 2 * sizeof(Placed));
    half->look();
    block->look();
    if (!stands_before(placed, half->items[0])) block = half;
  }
  block->insert(placed);
  return true;
}

}  // namespace pocketlens
