// Sizes and offsets of packed panels, the arithmetic that all instruction sets share.
#ifndef POCKETLENS_KERNELS_PANEL_H
#define POCKETLENS_KERNELS_PANEL_H

#include "kernels/half.h"
#include "kernels/table.h"

namespace pocketlens {

// All functions are static: compiled once an instruction set, never merged by the linker.

static inline int32_t ceil_div(int32_t a, int32_t b) { return (a + b - 1) / b; }
static inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

// Bits of an index; 0 for values.
static inline int32_t index_bits(Encoding encoding) {
  switch (encoding) {
    case Encoding::kIndex1:
      return 1;
    case Encoding::kIndex2:
      return 2;
    case Encoding::kIndex4:
      return 4;
    case Encoding::kIndex8:
      return 8;
    default:
      return 0;
  }
}

// Inputs that are packed together: a panel of indices is a row of groups of this many k.
static inline int32_t packed_inputs(Encoding encoding) {
  const int32_t bits = index_bits(encoding);
  return bits == 0 ? 1 : 32 / bits;
}

static inline int32_t panel_count(const Weights& w) { return ceil_div(w.outputs, kLanes); }

static inline const uint8_t* panel_at(const Weights& w, int32_t panel) {
  return w.panels + (size_t)panel * w.panel_bytes;
}

// The palette of an output. The lanes beyond the last output, whose values nobody reads, take the
// palette of the last.
static inline const uint16_t* palette_of(const Weights& w, int32_t output) {
  const int32_t group = least(output, w.outputs - 1) / w.group_rows;
  return w.palettes + (size_t)group * (size_t)w.palette_stride;
}

}  // namespace pocketlens

#endif
