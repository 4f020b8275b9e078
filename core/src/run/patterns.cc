// Patterns (run/patterns.h).
#include "run/patterns.h"

#include "plan/ops.h"

namespace pocketlens {
namespace {

constexpr uint32_t kChained = 3;

// Whether the ops from `first` on are of these kinds, each the only reader of the one before it.
bool is_chain(const Plan& plan, const Array<uint32_t>& reads, size_t first,
              const OpKind (&kinds)[kChained]) {
  if (first + kChained > plan.ops.size() || !plan.ops[first].input(0).is_value()) return false;
  for (uint32_t i = 0; i < kChained; ++i) {
    const Op& op = plan.ops[first + i];
    if (static_cast<OpKind>(op.kind) != kinds[i]) return false;
    if (i == 0) continue;
    const uint32_t before = plan.ops[first + i - 1].output;
    if (op.input(0).word != before || reads[before] != 1) return false;
  }
  return true;
}

template <uint32_t kAxes>
bool moves_axes(const Op& transpose, const int32_t (&axes)[kAxes]) {
  for (uint32_t i = 0; i < kAxes; ++i) {
    if (transpose.integer(i) != axes[i]) return false;
  }
  return true;
}

}  // namespace

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

bool is_depthwise(const Plan& plan, const Op& conv) {
  const int32_t groups = conv.integer(conv2d_at::kGroups);
  return groups == plan.shape_of(conv.input(0)).dims[1] &&
         groups == plan.shape_of(conv.input(1)).dims[0];
}

bool find_conv_inputs(const Plan& plan, Array<uint8_t>* are) {
  if (!are->reset(plan.values.size())) return false;
  for (uint8_t& is : *are) is = 1;
  for (const Op& op : plan.ops) {
    const bool conv = static_cast<OpKind>(op.kind) == OpKind::kConv2d && !is_depthwise(plan, op);
    for (uint32_t i = conv ? 1 : 0; i < op.input_count; ++i) {
      if (op.input(i).is_value()) (*are)[op.input(i).number()] = 0;
    }
  }
  for (const uint32_t value : plan.outputs) (*are)[value] = 0;
  return true;
}

int32_t shuffle_groups(const Plan& plan, const Array<uint32_t>& reads, size_t first) {
  if (!is_chain(plan, reads, first, {OpKind::kReshape, OpKind::kTranspose, OpKind::kReshape})) {
    return 0;
  }
  const Op& split = plan.ops[first];
  const Op& swap = plan.ops[first + 1];
  const Op& join = plan.ops[first + 2];
  const Shape& x = plan.values[split.input(0).number()];
  const Shape& parts = plan.values[split.output];
  if (x.rank != 4 || parts.rank != 5 || !(plan.values[join.output] == x)) return 0;
  if (parts.dims[0] != x.dims[0] || parts.dims[3] != x.dims[2] || parts.dims[4] != x.dims[3]) {
    return 0;
  }
  return moves_axes(swap, {0, 2, 1, 3, 4}) ? parts.dims[1] : 0;
}

bool is_channel_norm(const Plan& plan, const Array<uint32_t>& reads, size_t first) {
  if (!is_chain(plan, reads, first, {OpKind::kTranspose, OpKind::kLayerNorm, OpKind::kTranspose})) {
    return false;
  }
  const Op& there = plan.ops[first];
  const Op& norm = plan.ops[first + 1];
  const Op& back = plan.ops[first + 2];
  const auto constant = [&](uint32_t i) {
    return norm.input(i).absent() || norm.input(i).is_tensor();
  };
  return plan.values[there.output].rank == 4 && moves_axes(there, {0, 2, 3, 1}) &&
         moves_axes(back, {0, 3, 1, 2}) && norm.integer(0) == 3 && constant(1) && constant(2);
}

bool is_normed_pool(const Plan& plan, const Array<uint32_t>& reads, size_t first) {
  const auto is_chained = [&](OpKind norm, OpKind pool) {
    return is_chain(plan, reads, first, {OpKind::kConv2d, norm, pool});
  };
  if (!is_chained(OpKind::kLrn, OpKind::kMaxPool) && !is_chained(OpKind::kLrn, OpKind::kAvgPool) &&
      !is_chained(OpKind::kGroupedLrn, OpKind::kMaxPool) &&
      !is_chained(OpKind::kGroupedLrn, OpKind::kAvgPool)) {
    return false;
  }
  const Op& conv = plan.ops[first];
  const int32_t groups = conv.integer(conv2d_at::kGroups);
  const bool depthwise = groups == plan.shape_of(conv.input(0)).dims[1] &&
                         groups == plan.shape_of(conv.input(1)).dims[0];
  return plan.values[conv.output].dims[0] == 1 && conv.input(3).absent() && !depthwise;
}

Scaled scaled_input(const Plan& plan, const Array<uint32_t>& reads, size_t first) {
  const Scaled none = {{kAbsent}, {kAbsent}};
  if (first + 1 >= plan.ops.size()) return none;
  const Op& product = plan.ops[first];
  const Op& conv = plan.ops[first + 1];
  if (static_cast<OpKind>(product.kind) != OpKind::kBinary ||
      static_cast<OpKind>(conv.kind) != OpKind::kConv2d) {
    return none;
  }
  const Shape& made = plan.values[product.output];
  const bool plain_product = product.integer(binary_at::kKind) == kMul &&
                             product.integer(binary_at::kActivation) == kNoActivation &&
                             made.rank == 4 && made.dims[0] == 1;
  const Shape& weights = plan.shape_of(conv.input(1));
  const bool pointwise = weights.dims[2] == 1 && weights.dims[3] == 1;
  const bool only_reader = conv.input(0).word == product.output && reads[product.output] == 1 &&
                           conv.integer(conv2d_at::kGroups) == 1;
  if (!plain_product || !pointwise || !only_reader) return none;
  for (uint32_t i = 0; i < 2; ++i) {
    const Reference picture = product.input(i), scale = product.input(1 - i);
    if (!picture.is_value() || !scale.is_value() || !(plan.shape_of(picture) == made)) continue;
    const Shape& factors = plan.shape_of(scale);
    const bool a_channel = factors.rank == 4 && factors.dims[0] == 1 &&
                           factors.dims[1] == made.dims[1] && factors.dims[2] == 1 &&
                           factors.dims[3] == 1;
    if (a_channel) return {picture, scale};
  }
  return none;
}

}  // namespace pocketlens
