// AVX2, FMA, F16C: 16 registers of 8 floats.
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#define POCKETLENS_VECTOR_LANES 8
#include "kernels/lookup_avx2-inl.h"

namespace pocketlens {
namespace {

constexpr int kTilePixels[] = {6};  // pixels of a micro-kernel of 1, 2, .. panels
// Costs of Winograd's way in vectors of 16 multiplied and added: of transforming the weights of a
// channel and panel, the patch of a channel block and tile, the sums of a panel and tile.
constexpr double kWinogradWeightCost = 60, kWinogradPatchCost = 60, kWinogradOutputCost = 50;
constexpr int kDepthwisePixels = 4;
constexpr bool kSmallCode = false;
constexpr bool kByteRows = false;

}  // namespace
}  // namespace pocketlens

#include "kernels/target-inl.h"

namespace pocketlens {

const KernelTable kAvx2Table = table_named("avx2");

}  // namespace pocketlens

#endif
