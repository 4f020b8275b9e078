// AVX-512 with BF16: the conv2d and the linear of many rows whose words are two inputs. Everything
// else is the target avx512's.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && \
    defined(__AVX512VBMI__) && defined(__AVX512BF16__)

#define POCKETLENS_VECTOR_LANES 16
#define POCKETLENS_BF16
#include "kernels/lookup_avx512-inl.h"

namespace pocketlens {
namespace {

constexpr int kTilePixels[] = {12, 12, 8, 6};  // as in target_avx512.cc
constexpr double kWinogradWeightCost = 0, kWinogradPatchCost = 0, kWinogradOutputCost = 0;
constexpr int kDepthwisePixels = 8;
constexpr bool kSmallCode = false;
constexpr bool kByteRows = false;

}  // namespace
}  // namespace pocketlens

#include "kernels/conv2d-inl.h"
#include "kernels/depthwise-inl.h"
#include "kernels/linear_batch-inl.h"
#include "kernels/linear_ways-inl.h"
#include "kernels/targets.h"

namespace pocketlens {
namespace {

bool rounds_output(const Conv2d& conv, bool depthwise) {
  return depthwise ? is_clip(conv.activation) : has_one_slice(conv);
}

void run_depthwise(const Conv2d& conv, size_t begin, size_t end, void* scratch) {
  (conv.round_output ? depthwise_run : kAvx512Table.depthwise_run)(conv, begin, end, scratch);
}

// A few rows wait for memory, not for products.
bool has_few_rows(const Linear& linear) { return linear.batch <= few_rows(linear.weights); }

size_t linear_items(const Linear& linear) {
  return has_few_rows(linear) ? kAvx512Table.linear_items(linear) : batch_items(linear);
}

size_t linear_scratch_bytes(const Linear& linear) {
  return has_few_rows(linear) ? kAvx512Table.linear_scratch_bytes(linear)
                              : batch_scratch_bytes(linear);
}

void linear_run(const Linear& linear, size_t begin, size_t end, void* scratch) {
  (has_few_rows(linear) ? kAvx512Table.linear_run : run_batch)(linear, begin, end, scratch);
}

}  // namespace

void use_avx512_bf16(KernelTable* table) {
  table->round_to_bf16 = round_to_bf16;
  table->rounds_output = rounds_output;
  table->conv2d_items = conv2d_items;
  table->conv2d_scratch_bytes = conv2d_scratch_bytes;
  table->conv2d_run = conv2d_run;
  table->depthwise_items = depthwise_items;
  table->depthwise_scratch_bytes = depthwise_scratch_bytes;
  table->depthwise_run = run_depthwise;
  table->linear_items = linear_items;
  table->linear_scratch_bytes = linear_scratch_bytes;
  table->linear_run = linear_run;
}

}  // namespace pocketlens

#endif
