// What each operator accepts and the shape of what it makes. Attributes are judged here, next to
// the arithmetic that they enter; the meaning is that of graph/ops.py.
#include <stdint.h>

#include "plan/ops.h"
#include "plan/plan.h"

namespace pocketlens {
namespace {

constexpr int32_t kMaxStep = 1 << 24;  // of a pad, stride, dilation

[[gnu::noinline]] Status bad_attribute(uint32_t at, int64_t value) {
  return fail(Code::kAttribute, static_cast<uint64_t>(value), at);
}

bool in_range(int64_t value, int64_t low, int64_t high) { return value >= low && value <= high; }

Status judge_activation(const Op& op, uint32_t at) {
  if (!in_range(op.integer(at), 0, kActivations - 1)) return bad_attribute(at, op.integer(at));
  for (const uint32_t i : {at + 1, at + 2}) {
    if (op.number(i) != op.number(i)) return bad_attribute(i, op.integer(i));  // not a number
  }
  return {};
}

// `count` integers from `at`, each in [low, high].
Status judge_range(const Op& op, uint32_t at, uint32_t count, int64_t low, int64_t high) {
  for (uint32_t i = at; i < at + count; ++i) {
    if (!in_range(op.integer(i), low, high)) return bad_attribute(i, op.integer(i));
  }
  return {};
}

Status judge_number(const Op& op, uint32_t at, float low) {
  const float value = op.number(at);
  if (!(value >= low) || value - value != 0) return bad_attribute(at, op.integer(at));
  return {};
}

// Sets `shape` and judges its size.
Status finish(int32_t rank, const int64_t* dims, Shape* shape) {
  *shape = Shape{};
  shape->rank = rank;
  int64_t elements = 1;
  for (int32_t i = 0; i < rank; ++i) {
    if (!in_range(dims[i], 1, kMaxDimension)) {
      return fail(Code::kShape, static_cast<uint64_t>(dims[i]), kMaxDimension);
    }
    shape->dims[i] = static_cast<int32_t>(dims[i]);
    elements *= dims[i];
    if (elements > kMaxElements) return fail(Code::kTooLarge, static_cast<uint64_t>(elements));
  }
  return {};
}

[[gnu::noinline]] Status wrong_shape(int64_t seen, int64_t expected) {
  return fail(Code::kShape, static_cast<uint64_t>(seen), static_cast<uint64_t>(expected));
}

// The bias of a conv2d or a linear: a plain constant (O), or none.
Status judge_bias(const Plan& plan, Reference bias, int32_t outputs) {
  if (bias.absent()) return {};
  if (!bias.is_tensor()) return fail(Code::kReference, bias.number());
  const Shape& shape = plan.shape_of(bias);
  if (shape.rank != 1 || shape.dims[0] != outputs) return wrong_shape(shape.dims[0], outputs);
  return {};
}

// One axis of a window that slides; kernel, stride, dilation >= 1. Blocked arrays with their halo
// must stay below kMaxElements too, see judge_window().
int64_t slide(int64_t size, int64_t before, int64_t after, int64_t kernel, int64_t stride,
              int64_t dilation, bool ceil_mode) {
  const int64_t room = size + before + after - (dilation * (kernel - 1) + 1);
  if (room < 0) return 0;
  int64_t out = (ceil_mode ? room + stride - 1 : room) / stride + 1;
  // The last window starts inside the picture or its left padding.
  if (ceil_mode && (out - 1) * stride >= size + before) --out;
  return out;
}

Status judge_window(const Shape& x, const Op& op, uint32_t strides, uint32_t pads,
                    uint32_t dilations) {
  if (x.rank != 4) return wrong_shape(x.rank, 4);
  Status status = judge_range(op, strides, 2, 1, kMaxStep);
  if (status.ok()) status = judge_range(op, pads, 4, 0, kMaxStep);
  if (status.ok()) status = judge_range(op, dilations, 2, 1, kMaxStep);
  if (!status.ok()) return status;
  const int64_t height = int64_t{x.dims[2]} + op.integer(pads) + op.integer(pads + 2);
  const int64_t width = int64_t{x.dims[3]} + op.integer(pads + 1) + op.integer(pads + 3);
  const int64_t channels = round_up(static_cast<uint64_t>(x.dims[1]), 16) * x.dims[0];
  if (height > kMaxDimension || width > kMaxDimension || height * width > kMaxElements ||
      channels > kMaxElements || height * width * channels > kMaxElements) {
    return fail(Code::kTooLarge, static_cast<uint64_t>(height * width), kMaxElements);
  }
  return {};
}

Status conv2d(const Plan& plan, const Op& op, Shape* shape) {
  using namespace conv2d_at;
  const Shape& x = plan.shape_of(op.input(0));
  const Shape& w = plan.shape_of(op.input(1));
  Status status = judge_activation(op, kActivation);
  if (status.ok()) status = judge_window(x, op, kStrides, kPads, kDilations);
  if (!status.ok()) return status;
  if (w.rank != 4) return wrong_shape(w.rank, 4);
  const int32_t groups = op.integer(kGroups);
  if (!in_range(groups, 1, x.dims[1]) || x.dims[1] % groups != 0 || w.dims[0] % groups != 0) {
    return bad_attribute(kGroups, groups);
  }
  if (w.dims[1] != x.dims[1] / groups) return wrong_shape(w.dims[1], x.dims[1] / groups);
  int64_t dims[4] = {x.dims[0], w.dims[0], 0, 0};
  for (uint32_t i = 0; i < 2; ++i) {
    dims[2 + i] = slide(x.dims[2 + i], op.integer(kPads + i), op.integer(kPads + 2 + i),
                        w.dims[2 + i], op.integer(kStrides + i), op.integer(kDilations + i), false);
  }
  status = finish(4, dims, shape);
  if (!status.ok()) return status;
  const Reference residual = op.input(3);
  if (!residual.absent()) {
    if (!(plan.shape_of(residual) == *shape)) return wrong_shape(0, shape->elements());
  }
  return judge_bias(plan, op.input(2), w.dims[0]);
}

Status linear(const Plan& plan, const Op& op, Shape* shape) {
  const Shape& x = plan.shape_of(op.input(0));
  const Shape& w = plan.shape_of(op.input(1));
  Status status = judge_activation(op, 0);
  if (!status.ok()) return status;
  if (w.rank != 2) return wrong_shape(w.rank, 2);
  if (x.rank < 1) return wrong_shape(x.rank, 1);
  if (x.dims[x.rank - 1] != w.dims[1]) return wrong_shape(x.dims[x.rank - 1], w.dims[1]);
  int64_t dims[kMaxRank];
  for (int32_t i = 0; i < x.rank; ++i) dims[i] = x.dims[i];
  dims[x.rank - 1] = w.dims[0];
  status = finish(x.rank, dims, shape);
  return status.ok() ? judge_bias(plan, op.input(2), w.dims[0]) : status;
}

// NumPy broadcasting of the axes before the last `keep`.
bool broadcast(const Shape& a, const Shape& b, int32_t keep, int64_t* dims, int32_t* rank) {
  *rank = a.rank > b.rank ? a.rank : b.rank;
  for (int32_t i = 0; i < *rank - keep; ++i) {
    const int32_t ia = i - (*rank - a.rank), ib = i - (*rank - b.rank);
    const int32_t da = ia >= 0 ? a.dims[ia] : 1, db = ib >= 0 ? b.dims[ib] : 1;
    if (da != db && da != 1 && db != 1) return false;
    dims[i] = da == 1 ? db : da;
  }
  return true;
}

Status matmul(const Plan& plan, const Op& op, Shape* shape) {
  const Shape& a = plan.shape_of(op.input(0));
  const Shape& b = plan.shape_of(op.input(1));
  Status status = judge_range(op, 0, 1, 0, 1);
  if (!status.ok()) return status;
  if (op.number(1) - op.number(1) != 0) return bad_attribute(1, op.integer(1));
  if (a.rank < 2 || b.rank < 2) return wrong_shape(a.rank, 2);
  const bool transposed = op.integer(0) != 0;
  const int32_t depth = b.dims[b.rank - (transposed ? 1 : 2)];
  if (a.dims[a.rank - 1] != depth) return wrong_shape(a.dims[a.rank - 1], depth);
  int64_t dims[kMaxRank];
  int32_t rank;
  if (!broadcast(a, b, 2, dims, &rank)) return wrong_shape(a.elements(), b.elements());
  dims[rank - 2] = a.dims[a.rank - 2];
  dims[rank - 1] = b.dims[b.rank - (transposed ? 2 : 1)];
  return finish(rank, dims, shape);
}

Status pool(const Plan& plan, const Op& op, Shape* shape) {
  using namespace pool_at;
  const Shape& x = plan.shape_of(op.input(0));
  Status status = judge_window(x, op, kStrides, kPads, kDilations);
  if (status.ok()) status = judge_range(op, kKernel, 2, 1, kMaxStep);
  if (status.ok()) status = judge_range(op, kCeil, 1, 0, 1);
  if (status.ok() && static_cast<OpKind>(op.kind) == OpKind::kAvgPool) {
    status = judge_range(op, kIncludePad, 1, 0, 1);
  }
  if (!status.ok()) return status;
  int64_t dims[4] = {x.dims[0], x.dims[1], 0, 0};
  for (uint32_t i = 0; i < 2; ++i) {
    const int64_t kernel = op.integer(kKernel + i), dilation = op.integer(kDilations + i);
    const int64_t before = op.integer(kPads + i), after = op.integer(kPads + 2 + i);
    if (before >= dilation * (kernel - 1) + 1) return bad_attribute(kPads + i, before);
    if (after >= dilation * (kernel - 1) + 1) return bad_attribute(kPads + 2 + i, after);
    dims[2 + i] = slide(x.dims[2 + i], before, after, kernel, op.integer(kStrides + i), dilation,
                        op.integer(kCeil) != 0);
  }
  return finish(4, dims, shape);
}

Status reduce(const Plan& plan, const Op& op, Shape* shape) {
  using namespace reduce_at;
  const Shape& x = plan.shape_of(op.input(0));
  Status status = judge_range(op, kKind, 1, 0, kReduceKinds - 1);
  if (status.ok()) status = judge_range(op, kKeep, 1, 0, 1);
  if (!status.ok()) return status;
  bool reduced[kMaxRank] = {};
  int32_t last = -1;
  bool ended = false;
  for (uint32_t i = kAxes; i < kAxes + kMaxRank; ++i) {
    const int32_t axis = op.integer(i);
    if (axis == -1) {
      ended = true;
      continue;
    }
    if (ended || !in_range(axis, last + 1, x.rank - 1)) return bad_attribute(i, axis);
    reduced[axis] = true;
    last = axis;
  }
  int64_t dims[kMaxRank];
  int32_t rank = 0;
  for (int32_t i = 0; i < x.rank; ++i) {
    if (!reduced[i]) dims[rank++] = x.dims[i];
    if (reduced[i] && op.integer(kKeep) != 0) dims[rank++] = 1;
  }
  return finish(rank, dims, shape);
}

Status unary(const Plan& plan, const Op& op, Shape* shape) {
  *shape = plan.shape_of(op.input(0));
  return judge_activation(op, 0);
}

Status binary(const Plan& plan, const Op& op, Shape* shape) {
  using namespace binary_at;
  const Shape& a = plan.shape_of(op.input(0));
  const Shape& b = plan.shape_of(op.input(1));
  Status status = judge_range(op, kKind, 1, 0, kBinaryKinds - 1);
  if (status.ok()) status = judge_activation(op, kActivation);
  if (!status.ok()) return status;
  int64_t dims[kMaxRank];
  int32_t rank;
  if (!broadcast(a, b, 0, dims, &rank)) return wrong_shape(a.elements(), b.elements());
  return finish(rank, dims, shape);
}

Status concat(const Plan& plan, const Op& op, Shape* shape) {
  const Shape& first = plan.shape_of(op.input(0));
  const int32_t axis = op.integer(0);
  if (!in_range(axis, 0, first.rank - 1)) return bad_attribute(0, axis);
  int64_t dims[kMaxRank];
  for (int32_t i = 0; i < first.rank; ++i) dims[i] = first.dims[i];
  for (uint32_t n = 1; n < op.input_count; ++n) {
    const Shape& x = plan.shape_of(op.input(n));
    if (x.rank != first.rank) return wrong_shape(x.rank, first.rank);
    for (int32_t i = 0; i < first.rank; ++i) {
      if (i != axis && x.dims[i] != first.dims[i]) return wrong_shape(x.dims[i], first.dims[i]);
    }
    dims[axis] += x.dims[axis];
  }
  return finish(first.rank, dims, shape);
}

Status slice(const Plan& plan, const Op& op, Shape* shape) {
  using namespace slice_at;
  const Shape& x = plan.shape_of(op.input(0));
  int64_t dims[kMaxRank];
  for (uint32_t i = 0; i < kMaxRank; ++i) {
    const int64_t start = op.integer(kStarts + i), size = op.integer(kSizes + i);
    const int64_t step = op.integer(kSteps + i);
    if (i >= static_cast<uint32_t>(x.rank)) {
      if (start != 0 || size != 0 || step != 1) return bad_attribute(kStarts + i, start);
      continue;
    }
    const int64_t dim = x.dims[i];
    if (!in_range(start, 0, dim - 1)) return bad_attribute(kStarts + i, start);
    if (!in_range(size, 1, dim)) return bad_attribute(kSizes + i, size);
    if (step == 0 || !in_range(start + (size - 1) * step, 0, dim - 1)) {
      return bad_attribute(kSteps + i, step);
    }
    dims[i] = size;
  }
  return finish(x.rank, dims, shape);
}

Status pad(const Plan& plan, const Op& op, Shape* shape) {
  using namespace pad_at;
  const Shape& x = plan.shape_of(op.input(0));
  Status status = judge_range(op, kMode, 1, 0, kPadModes - 1);
  if (!status.ok()) return status;
  if (op.number(kValue) != op.number(kValue)) return bad_attribute(kValue, op.integer(kValue));
  int64_t dims[kMaxRank];
  for (uint32_t i = 0; i < kMaxRank; ++i) {
    const bool axis = i < static_cast<uint32_t>(x.rank);
    // A reflection reaches no farther than the other edge.
    const int64_t most = !axis                              ? 0
                         : op.integer(kMode) == kPadReflect ? x.dims[i] - 1
                                                            : int64_t{kMaxStep};
    for (const uint32_t at : {kBefore + i, kAfter + i}) {
      if (!in_range(op.integer(at), 0, most)) return bad_attribute(at, op.integer(at));
    }
    if (axis) dims[i] = int64_t{x.dims[i]} + op.integer(kBefore + i) + op.integer(kAfter + i);
  }
  return finish(x.rank, dims, shape);
}

// A list of dimensions that ends at the first -1.
Status read_dims(const Op& op, int64_t* dims, int32_t* rank) {
  *rank = 0;
  bool ended = false;
  for (uint32_t i = 0; i < kMaxRank; ++i) {
    const int32_t dim = op.integer(i);
    if (dim == -1) {
      ended = true;
      continue;
    }
    if (ended || !in_range(dim, 1, kMaxDimension)) return bad_attribute(i, dim);
    dims[(*rank)++] = dim;
  }
  return {};
}

Status reshape(const Plan& plan, const Op& op, Shape* shape) {
  const Shape& x = plan.shape_of(op.input(0));
  int64_t dims[kMaxRank];
  int32_t rank;
  Status status = read_dims(op, dims, &rank);
  if (status.ok()) status = finish(rank, dims, shape);
  if (!status.ok()) return status;
  if (shape->elements() != x.elements()) return wrong_shape(shape->elements(), x.elements());
  return {};
}

Status expand(const Plan& plan, const Op& op, Shape* shape) {
  const Shape& x = plan.shape_of(op.input(0));
  int64_t dims[kMaxRank];
  int32_t rank;
  Status status = read_dims(op, dims, &rank);
  Shape wanted;
  if (status.ok()) status = finish(rank, dims, &wanted);
  if (!status.ok()) return status;
  if (!broadcast(x, wanted, 0, dims, &rank)) return wrong_shape(x.elements(), wanted.elements());
  return finish(rank, dims, shape);
}

Status transpose(const Plan& plan, const Op& op, Shape* shape) {
  const Shape& x = plan.shape_of(op.input(0));
  bool taken[kMaxRank] = {};
  int64_t dims[kMaxRank];
  for (int32_t i = 0; i < kMaxRank; ++i) {
    const uint32_t at = static_cast<uint32_t>(i);
    const int32_t axis = op.integer(at);
    if (i >= x.rank) {
      if (axis != -1) return bad_attribute(at, axis);
      continue;
    }
    if (!in_range(axis, 0, x.rank - 1) || taken[axis]) return bad_attribute(at, axis);
    taken[axis] = true;
    dims[i] = x.dims[axis];
  }
  return finish(x.rank, dims, shape);
}

Status softmax(const Plan& plan, const Op& op, Shape* shape) {
  *shape = plan.shape_of(op.input(0));
  if (!in_range(op.integer(0), 0, shape->rank - 1)) return bad_attribute(0, op.integer(0));
  return judge_range(op, 1, 1, 0, 1);
}

Status lrn(const Plan& plan, const Op& op, Shape* shape) {
  using namespace lrn_at;
  *shape = plan.shape_of(op.input(0));
  if (shape->rank < 2) return wrong_shape(shape->rank, 2);
  Status status = judge_range(op, kSize, 1, 1, kMaxStep);
  for (const uint32_t at : {kAlpha, kBeta, kBias}) {
    if (status.ok()) status = judge_number(op, at, -3.4e38f);
  }
  return status;
}

Status grouped_lrn(const Plan& plan, const Op& op, Shape* shape) {
  const Status status = lrn(plan, op, shape);
  if (!status.ok()) return status;
  const int32_t groups = op.integer(lrn_at::kGroups), channels = shape->dims[1];
  if (!in_range(groups, 1, channels) || channels % groups != 0) {
    return bad_attribute(lrn_at::kGroups, groups);
  }
  return {};
}

Status layer_norm(const Plan& plan, const Op& op, Shape* shape) {
  *shape = plan.shape_of(op.input(0));
  const int32_t axis = op.integer(0);
  if (!in_range(axis, 0, shape->rank - 1)) return bad_attribute(0, axis);
  for (uint32_t i = 1; i < 3; ++i) {
    if (op.input(i).absent()) continue;
    const Shape& given = plan.shape_of(op.input(i));
    if (given.rank != shape->rank - axis) return wrong_shape(given.rank, shape->rank - axis);
    for (int32_t k = axis; k < shape->rank; ++k) {
      if (given.dims[k - axis] != shape->dims[k]) {
        return wrong_shape(given.dims[k - axis], shape->dims[k]);
      }
    }
  }
  return judge_number(op, 1, 0.0f);
}

Status resize(const Plan& plan, const Op& op, Shape* shape) {
  using namespace resize_at;
  const Shape& x = plan.shape_of(op.input(0));
  if (x.rank != 4) return wrong_shape(x.rank, 4);
  Status status = judge_range(op, kMode, 1, 0, kResizeModes - 1);
  if (status.ok()) status = judge_range(op, kCoordinates, 1, 0, kCoordinateKinds - 1);
  if (status.ok()) status = judge_range(op, kRounding, 1, 0, kRoundingKinds - 1);
  if (status.ok()) status = judge_number(op, kCubicA, -1e3f);
  for (const uint32_t at : {kScaleH, kScaleW}) {
    if (status.ok()) status = judge_number(op, at, 1e-6f);
  }
  if (!status.ok()) return status;
  const int64_t dims[4] = {x.dims[0], x.dims[1], op.integer(kSize), op.integer(kSize + 1)};
  return finish(4, dims, shape);
}

}  // namespace

Status shape_of_output(const Plan& plan, const Op& op, Shape* shape) {
  switch (static_cast<OpKind>(op.kind)) {
    case OpKind::kConv2d:
      return conv2d(plan, op, shape);
    case OpKind::kLinear:
      return linear(plan, op, shape);
    case OpKind::kMatmul:
      return matmul(plan, op, shape);
    case OpKind::kMaxPool:
    case OpKind::kAvgPool:
      return pool(plan, op, shape);
    case OpKind::kReduce:
      return reduce(plan, op, shape);
    case OpKind::kUnary:
      return unary(plan, op, shape);
    case OpKind::kBinary:
      return binary(plan, op, shape);
    case OpKind::kConcat:
      return concat(plan, op, shape);
    case OpKind::kSlice:
      return slice(plan, op, shape);
    case OpKind::kPad:
      return pad(plan, op, shape);
    case OpKind::kReshape:
      return reshape(plan, op, shape);
    case OpKind::kTranspose:
      return transpose(plan, op, shape);
    case OpKind::kSoftmax:
      return softmax(plan, op, shape);
    case OpKind::kLrn:
      return lrn(plan, op, shape);
    case OpKind::kLayerNorm:
      return layer_norm(plan, op, shape);
    case OpKind::kResize:
      return resize(plan, op, shape);
    case OpKind::kExpand:
      return expand(plan, op, shape);
    case OpKind::kGroupedLrn:
      return grouped_lrn(plan, op, shape);
  }
  return fail(Code::kOperator, op.kind);
}

}  // namespace pocketlens
