// The end of a network that works on rows alone (linear, activations, softmax): with several images
// it runs once for all of them, so that weights are decoded once and not once an image.
#ifndef POCKETLENS_RUN_TAIL_H
#define POCKETLENS_RUN_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "run/builder.h"

namespace pocketlens {

struct Tail {
  // What the steps before it made for one image, and where the images' rows of it stand.
  struct Entry {
    int32_t buffer;
    size_t floats;
    float* rows;
  };

  size_t first_step = 0;  // steps from here on are the tail's
  size_t images = 0;      // at most at once; 0: there is no tail
  Array<Entry> entries;
  Array<float*> buffers;   // by number, as the tail's steps see them
  Array<int32_t> made_in;  // by number: the tail's buffer that it is, perhaps reshaped, or -1
  Memory rows;

  // Finds the tail; places of all buffers are known.
  Status find(const Builder& builder, const Array<float*>& places);

 private:
  Status place(const Array<float*>& places, const Array<int64_t>& starts, size_t floats);
};

}  // namespace pocketlens

#endif
