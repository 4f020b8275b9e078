// NEON, which every AArch64 has: 32 registers of 4 floats.
#if defined(__aarch64__)

#define POCKETLENS_VECTOR_LANES 4
#include "kernels/lookup_neon-inl.h"

namespace pocketlens {
namespace {

constexpr int kTilePixels[] = {6};  // pixels of a micro-kernel of 1, 2, .. panels
// Costs of Winograd's way in vectors of 16 multiplied and added: of transforming the weights of a
// channel and panel, the patch of a channel block and tile, the sums of a panel and tile.
constexpr double kWinogradWeightCost = 60, kWinogradPatchCost = 60, kWinogradOutputCost = 50;
constexpr int kDepthwisePixels = 6;
constexpr bool kSmallCode = false;
constexpr bool kByteRows = false;

}  // namespace
}  // namespace pocketlens

#include "kernels/target-inl.h"

namespace pocketlens {

const KernelTable kNeonTable = table_named("neon");

}  // namespace pocketlens

#endif
