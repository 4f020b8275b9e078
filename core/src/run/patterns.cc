// Patterns (run/patterns.h).
#include "run/patterns.h"

#include "plan/ops.h"

namespace pocketlens {

bool count_reads(const Plan& plan, Array<uint32_t>* reads) {
  if (!reads->reset(plan.values.size())) return false;
  for (const Op& op : plan.ops) {
    for (uint32_t i = 0; i < op.input_count; ++i) {
      if (op.input(i).is_value()) ++(*reads)[op.input(i).number()];
    }
  }
  for (const uint32_t value : plan.outputs) ++(*reads)[value];
  return true;
}

int32_t shuffle_groups(const Plan& plan, const Array<uint32_t>& reads, size_t first) {
  if (first + 2 >= plan.ops.size()) return 0;
  const Op& split = plan.ops[first];
  const Op& swap = plan.ops[first + 1];
  const Op& join = plan.ops[first + 2];
  if (static_cast<OpKind>(split.kind) != OpKind::kReshape ||
      static_cast<OpKind>(swap.kind) != OpKind::kTranspose ||
      static_cast<OpKind>(join.kind) != OpKind::kReshape) {
    return 0;
  }
  const bool chained = split.input(0).is_value() && swap.input(0).word == split.output &&
                       join.input(0).word == swap.output && reads[split.output] == 1 &&
                       reads[swap.output] == 1;
  if (!chained) return 0;
  const Shape& x = plan.values[split.input(0).number()];
  const Shape& parts = plan.values[split.output];
  if (x.rank != 4 || parts.rank != 5 || !(plan.values[join.output] == x)) return 0;
  if (parts.dims[0] != x.dims[0] || parts.dims[3] != x.dims[2] || parts.dims[4] != x.dims[3]) {
    return 0;
  }
  const int32_t swapped[] = {0, 2, 1, 3, 4};
  for (uint32_t i = 0; i < 5; ++i) {
    if (swap.integer(i) != swapped[i]) return 0;
  }
  return parts.dims[1];
}

}  // namespace pocketlens
