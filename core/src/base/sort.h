// Sorting without a library: heapsort (Williams, 1964), n log n steps whatever the order.
#ifndef POCKETLENS_BASE_SORT_H
#define POCKETLENS_BASE_SORT_H

#include <stddef.h>

#include <utility>

namespace pocketlens {

template <typename T, typename Before>
void sift_down(T* items, size_t at, size_t count, Before before) {
  for (size_t child = 2 * at + 1; child < count; at = child, child = 2 * at + 1) {
    if (child + 1 < count && before(items[child], items[child + 1])) ++child;
    if (!before(items[at], items[child])) return;
    std::swap(items[at], items[child]);
  }
}

// Puts items in order; `before` must tell any two different ones apart for the order to be one.
template <typename T, typename Before>
void sort_items(T* items, size_t count, Before before) {
  for (size_t i = count / 2; i > 0; --i) sift_down(items, i - 1, count, before);
  for (size_t i = count; i > 1; --i) {
    std::swap(items[0], items[i - 1]);
    sift_down(items, 0, i - 1, before);
  }
}

}  // namespace pocketlens

#endif
