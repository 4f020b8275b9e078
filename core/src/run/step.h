// One step of a run, and the frame that it runs in. A step knows buffers by number; where they
// stand is fixed once, after all steps are known (arena.cc).
#ifndef POCKETLENS_RUN_STEP_H
#define POCKETLENS_RUN_STEP_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "kernels/table.h"

namespace pocketlens {

// Where every buffer is while one image runs.
struct Frame {
  float* const* buffers;
  const KernelTable* kernels;

  float* at(int32_t buffer) const { return buffers[buffer]; }
};

// Work that threads share: items are independent, and their number depends on shapes alone.
class Step {
 public:
  Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  virtual ~Step() = default;

  virtual size_t items() const = 0;
  virtual size_t scratch_bytes() const { return 0; }  // of one thread
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
