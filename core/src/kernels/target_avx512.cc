// AVX-512 (F, BW, VL, DQ, VBMI): 32 registers of 16 floats.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && \
    defined(__AVX512VBMI__)

#define POCKETLENS_VECTOR_LANES 16
#include "kernels/lookup_avx512-inl.h"

namespace pocketlens {
namespace {

constexpr int kTilePixels[] = {12, 12, 8, 6};  // pixels of a micro-kernel of 1, 2, .. panels
// Costs of Winograd's way in vectors of 16 multiplied and added: of transforming the weights of a
// channel and panel, the patch of a channel block and tile, the sums of a panel and tile.
constexpr double kWinogradWeightCost = 60, kWinogradPatchCost = 60, kWinogradOutputCost = 50;
constexpr int kDepthwisePixels = 8;
constexpr bool kSmallCode = false;
constexpr bool kByteRows = false;

}  // namespace
}  // namespace pocketlens

#include "kernels/target-inl.h"

namespace pocketlens {

const KernelTable kAvx512Table = table_named("avx512");

}  // namespace pocketlens

#endif
