// Half precision (IEEE 754 binary16) in plain integers: the code of a float, the value of a code in
// fixed point. Every finite half is a whole number of units of 2^-24, below 2^40 of them, so sums
// and comparisons of halves can be exact.
#ifndef POCKETLENS_PALETTE_HALF_H
#define POCKETLENS_PALETTE_HALF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace pocketlens::palette {

constexpr size_t kHalfCodes = 65536;
constexpr uint16_t kHalfSign = 0x8000;
constexpr uint16_t kHalfInfinity = 0x7C00;  // this and above, sign aside: infinity and NaN
constexpr double kUnit = 1.0 / 16777216.0;  // 2^-24

inline bool half_is_finite(uint16_t code) { return (code & ~kHalfSign) < kHalfInfinity; }

// Rounds to nearest, ties to even, as F16C's vcvtps2ph does; NaN becomes 0x7E00, sign kept.
inline uint16_t half_from_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16) & kHalfSign;
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  uint32_t code;
  if (magnitude > 0x7F800000u) {
    code = 0x7E00;
  } else if (magnitude >= 0x47800000u) {  // 65536 and more
    code = kHalfInfinity;
  } else if (magnitude < 0x38800000u) {  // below 2^-14: counted in units
    // Between 0.5 and 1 a float's last bit is a unit: the addition rounds as wanted.
    float shifted;
    memcpy(&shifted, &magnitude, sizeof shifted);
    shifted += 0.5f;
    memcpy(&code, &shifted, sizeof code);
    code -= 0x3F000000u;
  } else {  // exponent bias 127 -> 15, 13 bits rounded off; a carry may rightly reach infinity
    code = (magnitude - 0x38000000u + 0x0FFFu + ((magnitude >> 13) & 1)) >> 13;
  }
  return static_cast<uint16_t>(sign | code);
}

// The value of a finite half in units of 2^-24.
inline int64_t units_from_half(uint16_t code) {
  const int exponent = (code >> 10) & 31;
  const int64_t mantissa = code & 0x3FF;
  const int64_t magnitude = exponent == 0 ? mantissa : (mantissa | 0x400) << (exponent - 1);
  return code & kHalfSign ? -magnitude : magnitude;
}

// Rounds a number of units, |units| < 2^40, to the nearest half, ties to even. Never -0.
inline uint16_t half_from_units(double units) {
  double magnitude = units < 0 ? -units : units;
  uint32_t shift = 0;
  for (; magnitude >= 2048.0; magnitude *= 0.5) ++shift;
  constexpr double kWhole = 4503599627370496.0;  // 2^52: adding it rounds to whole numbers
  const uint32_t significand = static_cast<uint32_t>((magnitude + kWhole) - kWhole);
  const uint32_t code = (shift << 10) + significand;  // the leading bit steps the exponent by one
  return static_cast<uint16_t>(code == 0 || units >= 0 ? code : code | kHalfSign);
}

}  // namespace pocketlens::palette

#endif
