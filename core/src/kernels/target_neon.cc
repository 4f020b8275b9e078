// NEON, which every AArch64 has: 32 registers of 4 floats.
#if defined(__aarch64__)

#define POCKETLENS_VECTOR_LANES 4
#include "kernels/lookup_neon-inl.h"

namespace pocketlens {
namespace {

constexpr int kTilePixels[] = {6};  // pixels of a micro-kernel of 1, 2, .. panels
constexpr int kDepthwisePixels = 6;

}  // namespace
}  // namespace pocketlens

#include "kernels/target-inl.h"

namespace pocketlens {

const KernelTable kNeonTable = table_named("neon");

}  // namespace pocketlens

#endif
