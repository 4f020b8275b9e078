// Where every buffer stands: one arena for all activations, shared by those that do not live at the
// same time; constants stand beside it.
#ifndef POCKETLENS_RUN_ARENA_H
#define POCKETLENS_RUN_ARENA_H

#include <stdint.h>

#include "run/builder.h"

namespace pocketlens {

struct ArenaSizes {
  uint64_t arena_floats = 0;
  uint64_t constant_floats = 0;
};

// Merges buffers that can share memory, finds how long each lives and gives it its place. Outputs
// of the plan live to the end.
Status lay_arena(Builder* builder, ArenaSizes* sizes);

}  // namespace pocketlens

#endif
