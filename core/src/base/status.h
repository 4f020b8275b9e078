// What went wrong, and where. Numbers are those of pl_code in core.h (api/ holds them together).
#ifndef POCKETLENS_BASE_STATUS_H
#define POCKETLENS_BASE_STATUS_H

#include <stddef.h>
#include <stdint.h>

namespace pocketlens {

enum class Code : int32_t {
  kOk = 0,
  kNoMemory = 1,
  kNoTarget = 2,
  kBadArgument = 3,
  kNotAPlan = 4,
  kVersion = 5,
  kSections = 6,
  kTooLarge = 7,
  kValue = 8,
  kTensor = 9,
  kPalette = 10,
  kOperator = 11,
  kReference = 12,
  kAttribute = 13,
  kShape = 14,
  kOrder = 15,
  kBandNumber = 16,
  kBandTwice = 17,
  kBandSize = 18,
  kBandFilter = 19,
  kBandIndex = 20,
  kNotReady = 21,
  kPlane = 22,
  kMaskFirst = 23,
  kMaskCount = 24,
  kRecipe = 25,
  kNoPrecision = 26,
  kForm = 27,
  kCut = 28,
};

struct Status {
  Code code = Code::kOk;
  int32_t op = -1;
  int32_t tensor = -1;
  uint64_t seen = 0;
  uint64_t expected = 0;

  bool ok() const { return code == Code::kOk; }
};

// Apart from where things go well, which would be the longer for it.
[[gnu::noinline]] inline Status fail(Code code, uint64_t seen = 0, uint64_t expected = 0) {
  return Status{code, -1, -1, seen, expected};
}

inline Status fail_tensor(Code code, size_t tensor, uint64_t seen = 0, uint64_t expected = 0) {
  return Status{code, -1, static_cast<int32_t>(tensor), seen, expected};
}

}  // namespace pocketlens

#endif
