// SSE2, which every x86-64 has: 16 registers of 4 floats.
#if defined(__x86_64__)

#define POCKETLENS_VECTOR_LANES 4
#include "kernels/lookup_plain-inl.h"

namespace pocketlens {
namespace {

constexpr int kTilePixels[] = {3};  // pixels of a micro-kernel of 1, 2, .. panels
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

const KernelTable kSse2Table = table_named("sse2");

}  // namespace pocketlens

#endif
