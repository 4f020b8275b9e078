// One step of a run, and the frame that it runs in. A step knows buffers by number; where they
// stand is fixed once, after all steps are known (arena.cc).
#ifndef POCKETLENS_RUN_STEP_H
#define POCKETLENS_RUN_STEP_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "kernels/table.h"

namespace pocketlens {

// Where every buffer is while a step runs, and for how many images: one, but for the steps at the
// end of a network that work on rows (tail.h), whose buffers then hold the images one after the
// other.
struct Frame {
  float* const* buffers;
  const KernelTable* kernels;
  size_t images = 1;

  float* at(int32_t buffer) const { return buffers[buffer]; }
};

// Work that threads share: items are independent, and their number depends on shapes alone.
class Step {
 public:
  Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  virtual ~Step() = default;

  virtual size_t items(size_t images) const = 0;
  virtual size_t scratch_bytes(size_t /*images*/) const { return 0; }  // of one thread
  // Whether several images are nothing but more rows, on plain arrays.
  virtual bool is_by_rows() const { return false; }
  // Whether it decodes weights, which several images then share.
  virtual bool decodes_weights() const { return false; }
  virtual void run(const Frame& frame, size_t begin, size_t end, void* scratch) const = 0;

  int32_t op = -1;  // the op of the plan that it belongs to
  Array<int32_t> reads;
  int32_t writes = -1;
  int32_t in_place = -1;         // a buffer of `reads` whose place the output may take, or -1
  bool gathers_blocks = false;   // a concat of whole blocks: reads[i] may stand in the output
  Array<uint64_t> block_places;  // then: where reads[i] starts in the output, in floats
};

// Items of elementwise work: chunks of this many floats.
constexpr size_t kChunk = 16384;

inline size_t chunks_of(size_t count) { return (count + kChunk - 1) / kChunk; }

}  // namespace pocketlens

#endif
