#include "run/places.h"

#include <string.h>

#include <new>
#include <utility>

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

uint64_t Places::lowest(uint64_t count, int32_t first, int32_t last) const {
  uint64_t at = 0;
  for (const Owned<Block>& owned : blocks_) {
    const Block& block = *owned;
    if (block.items[0].at >= at + count) break;
    if (block.earliest_first > last || block.latest_last < first) continue;
    if (block.latest_first <= last && block.earliest_last >= first && block.gap < count) {
      at = larger(at, block.end);
      continue;
    }
    for (size_t i = 0; i < block.count; ++i) {
      const Placed& item = block.items[i];
      if (item.at >= at + count) return at;
      const bool lives = (item.first <= last) & (item.last >= first);  // at random: no branch
      at = larger(at, lives ? item.end : 0);
    }
  }
  return at;
}

// The last block that begins before it, or the first of all.
size_t Places::block_for(const Placed& placed) const {
  size_t low = 0, high = blocks_.size();
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    (stands_before(placed, blocks_[middle]->items[0]) ? high : low) = middle;
  }
  return low;
}

bool Places::split(size_t number) {
  Owned<Block> fresh(new (std::nothrow) Block);
  if (fresh.get() == nullptr) return false;
  Block& from = *blocks_[number];
  fresh->count = from.count - from.count / 2;
  from.count /= 2;
  memcpy(fresh->items, from.items + from.count, fresh->count * sizeof(Placed));
  from.look();
  fresh->look();
  if (!blocks_.push(std::move(fresh))) return false;
  for (size_t i = blocks_.size() - 1; i > number + 1; --i) std::swap(blocks_[i], blocks_[i - 1]);
  return true;
}

bool Places::add(const Placed& placed) {
  if (blocks_.empty()) {
    Owned<Block> block(new (std::nothrow) Block);
    if (block.get() == nullptr || !blocks_.push(std::move(block))) return false;
  }
  size_t number = block_for(placed);
  if (blocks_[number]->count == kMost) {
    if (!split(number)) return false;
    if (!stands_before(placed, blocks_[number + 1]->items[0])) ++number;
  }
  blocks_[number]->insert(placed);
  return true;
}

}  // namespace pocketlens
