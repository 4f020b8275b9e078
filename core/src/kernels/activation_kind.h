// The numbers of ACTIVATIONS in graph/ops.py. Never renumber.
#ifndef POCKETLENS_KERNELS_ACTIVATION_KIND_H
#define POCKETLENS_KERNELS_ACTIVATION_KIND_H

namespace pocketlens {

enum ActivationKind {
  kNone = 0,
  kRelu = 1,
  kLeakyRelu = 2,
  kClip = 3,
  kSigmoid = 4,
  kHardSigmoid = 5,
  kHardSwish = 6,
  kSilu = 7,
  kGelu = 8,
  kGeluTanh = 9,
  kTanh = 10,
  kErf = 11,
  kExp = 12,
  kLog = 13,
  kSqrt = 14,
  kReciprocal = 15,
  kNeg = 16,
  kAbs = 17,
  kElu = 18,
  kSoftplus = 19,
  kActivationKinds = 20,
};

}  // namespace pocketlens

#endif
