// WebAssembly: 128-bit vectors; with the relaxed ones, products and sums may be fused.
#if defined(__wasm_simd128__)

#define POCKETLENS_VECTOR_LANES 4
#include "kernels/lookup_wasm-inl.h"

namespace pocketlens {
namespace {

// Pixels of a micro-kernel of 1, 2, .. panels. There are 16 registers, but with more than 8 sums
// V8 keeps some in memory: 3 pixels are 1.3 times slower, and so are 5 pixels of half a panel.
constexpr int kTilePixels[] = {2};
// Costs of Winograd's way in vectors of 16 multiplied and added: of transforming the weights of a
// channel and panel, the patch of a channel block and tile, the sums of a panel and tile.
constexpr double kWinogradWeightCost = 60, kWinogradPatchCost = 60, kWinogradOutputCost = 50;
constexpr int kDepthwisePixels = 4;
constexpr bool kSmallCode =
    true;  // a page waits for every byte: what is rare has no code of its own
constexpr bool kByteRows = true;  // byte b of all 16 words of a packed row stands together

}  // namespace
}  // namespace pocketlens

#include "kernels/target-inl.h"

namespace pocketlens {

#if defined(__wasm_relaxed_simd__)
const KernelTable kWasmTable = table_named("relaxed_simd");
#else
const KernelTable kWasmTable = table_named("simd128");
#endif

}  // namespace pocketlens

#endif
