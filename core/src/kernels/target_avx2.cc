// AVX2, FMA, F16C: 16 registers of 8 floats.
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#define POCKETLENS_VECTOR_LANES 8
#include "kernels/lookup_avx2-inl.h"

namespace pocketlens {
namespace {

constexpr int kTilePixels[] = {6};  // pixels of a micro-kernel of 1, 2, .. panels
constexpr int kDepthwisePixels = 4;

}  // namespace
}  // namespace pocketlens

#include "kernels/target-inl.h"

namespace pocketlens {

const KernelTable kAvx2Table = table_named("avx2");

}  // namespace pocketlens

#endif
