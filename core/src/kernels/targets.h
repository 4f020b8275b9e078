// The tables of every target_<name>.cc of this build. Only dispatch.cc reads it.
#ifndef POCKETLENS_KERNELS_TARGETS_H
#define POCKETLENS_KERNELS_TARGETS_H

#include "kernels/table.h"

namespace pocketlens {

extern const KernelTable kScalarTable;

}  // namespace pocketlens

#endif
