// linear: one row, or a few, straight from the packed indices in registers; more rows through the
// micro-kernel.
#ifndef POCKETLENS_KERNELS_LINEAR_INL_H
#define POCKETLENS_KERNELS_LINEAR_INL_H

#include "kernels/linear_batch-inl.h"
#include "kernels/linear_rows-inl.h"

namespace pocketlens {
namespace {

bool has_few_rows(const Linear& linear) { return linear.batch <= few_rows(linear.weights); }

size_t linear_items(const Linear& linear) {
  if (!has_few_rows(linear)) return batch_items(linear);
  return (size_t)ceil_div(panel_count(linear.weights), kPanelsAtOnce);
}

size_t linear_scratch_bytes(const Linear& linear) {
  return has_few_rows(linear) ? 0 : batch_scratch_bytes(linear);
}

void linear_run(const Linear& linear, size_t begin, size_t end, void* scratch) {
  if (!has_few_rows(linear)) return run_batch(linear, begin, end, scratch);
  for (size_t item = begin; item < end; ++item) {
    const int32_t panel = (int32_t)item * kPanelsAtOnce;
    const int32_t left = panel_count(linear.weights) - panel;
    multiply_few(linear, panel, least(left, kPanelsAtOnce));
  }
}

}  // namespace
}  // namespace pocketlens

#endif
