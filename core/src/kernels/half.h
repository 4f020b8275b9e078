// Half precision (IEEE 754 binary16) to float, in integer arithmetic: exact for every value.
#ifndef POCKETLENS_KERNELS_HALF_H
#define POCKETLENS_KERNELS_HALF_H

#include <stdint.h>
#include <string.h>

namespace pocketlens {

// static: this header is compiled once an instruction set, and the linker must not mix them.
static inline float half_to_float(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  const uint32_t rest = half & 0x7fff;
  uint32_t bits;
  if (rest >= 0x7c00) {  // infinity, not a number
    bits = 0x7f800000 | (rest & 0x3ff) << 13;
  } else if (rest >= 0x400) {
    bits = (rest << 13) + ((127 - 15) << 23);
  } else {  // subnormal: rest * 2^-24
    const float value = (float)(int32_t)rest * 5.9604644775390625e-8f;
    memcpy(&bits, &value, sizeof bits);
  }
  bits |= sign;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace pocketlens

#endif
