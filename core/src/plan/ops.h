// The operators' numbers and where their attributes stand: the C++ face of graph/ops.py.
// tests/engine/test_plan.py compares the two.
#ifndef POCKETLENS_PLAN_OPS_H
#define POCKETLENS_PLAN_OPS_H

#include <stdint.h>

namespace pocketlens {

enum class OpKind : uint32_t {
  kConv2d = 1,
  kLinear = 2,
  kMatmul = 3,
  kMaxPool = 4,
  kAvgPool = 5,
  kReduce = 6,
  kUnary = 7,
  kBinary = 8,
  kConcat = 9,
  kSlice = 10,
  kPad = 11,
  kReshape = 12,
  kTranspose = 13,
  kSoftmax = 14,
  kLrn = 15,
  kLayerNorm = 16,
  kResize = 17,
  kExpand = 18,
  kGroupedLrn = 19,
};

struct OpSignature {
  uint32_t min_inputs, max_inputs, attributes;
};

// By number; index 0 is no operator.
constexpr uint32_t kMaxConcat = 1 << 16;
constexpr OpSignature kSignatures[] = {
    {0, 0, 0},          {2, 4, 12},  // conv2d
    {2, 3, 3},                       // linear
    {2, 2, 2},                       // matmul
    {1, 1, 11},                      // max_pool
    {1, 1, 12},                      // avg_pool
    {1, 1, 8},                       // reduce
    {1, 1, 3},                       // unary
    {2, 2, 4},                       // binary
    {1, kMaxConcat, 1},              // concat
    {1, 1, 18},                      // slice
    {1, 1, 14},                      // pad
    {1, 1, 6},                       // reshape
    {1, 1, 6},                       // transpose
    {1, 1, 2},                       // softmax
    {1, 1, 4},                       // lrn
    {1, 3, 2},                       // layer_norm
    {1, 1, 8},                       // resize
    {1, 1, 6},                       // expand
    {1, 1, 5},                       // grouped_lrn
};
constexpr uint32_t kOpKinds = sizeof kSignatures / sizeof kSignatures[0];

// Where attributes stand (words after the inputs).
namespace conv2d_at {
constexpr uint32_t kActivation = 0, kStrides = 3, kPads = 5, kDilations = 9, kGroups = 11;
}
namespace pool_at {
constexpr uint32_t kKernel = 0, kStrides = 2, kPads = 4, kDilations = 8, kCeil = 10,
                   kIncludePad = 11;
}
namespace reduce_at {
constexpr uint32_t kKind = 0, kKeep = 1, kAxes = 2;
}
namespace binary_at {
constexpr uint32_t kKind = 0, kActivation = 1;
}
namespace slice_at {
constexpr uint32_t kStarts = 0, kSizes = 6, kSteps = 12;
}
namespace pad_at {
constexpr uint32_t kMode = 0, kValue = 1, kBefore = 2, kAfter = 8;
}
namespace lrn_at {
constexpr uint32_t kSize = 0, kAlpha = 1, kBeta = 2, kBias = 3, kGroups = 4;
}
namespace resize_at {
constexpr uint32_t kMode = 0, kCoordinates = 1, kRounding = 2, kCubicA = 3, kScaleH = 4,
                   kScaleW = 5, kSize = 6;
}

constexpr int32_t kActivations = 20;
enum ActivationKind : int32_t { kNoActivation = 0, kExpActivation = 12, kLogActivation = 13 };
enum BinaryKind : int32_t { kAdd, kSub, kMul, kDiv, kPow, kMax, kMin, kPrelu, kBinaryKinds };
enum ReduceKind : int32_t { kReduceMean, kReduceSum, kReduceMax, kReduceMin, kReduceKinds };
enum PadMode : int32_t { kPadConstant, kPadReflect, kPadEdge, kPadModes };
enum ResizeMode : int32_t { kNearest, kLinearResize, kCubic, kResizeModes };
enum ResizeCoordinates : int32_t {
  kHalfPixel,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kCoordinateKinds
};
enum ResizeRounding : int32_t {
  kRoundPreferFloor,
  kRoundPreferCeil,
  kRoundFloor,
  kRoundCeil,
  kRoundingKinds
};

}  // namespace pocketlens

#endif
