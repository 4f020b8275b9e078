// SSE2, which every x86-64 has: 16 registers of 4 floats.
#if defined(__x86_64__)

#define POCKETLENS_VECTOR_LANES 4
#include "kernels/lookup_plain-inl.h"

namespace pocketlens {
namespace {

constexpr int kTilePixels[] = {3};  // pixels of a micro-kernel of 1, 2, .. panels
constexpr int kDepthwisePixels = 4;

}  // namespace
}  // namespace pocketlens

#include "kernels/target-inl.h"

namespace pocketlens {

const KernelTable kSse2Table = table_named("sse2");

}  // namespace pocketlens

#endif
