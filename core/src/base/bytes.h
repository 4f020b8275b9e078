// Little-endian numbers from bytes at any address, and sizes that do not overflow.
#ifndef POCKETLENS_BASE_BYTES_H
#define POCKETLENS_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace pocketlens {

inline uint16_t load_u16(const uint8_t* at) {
  return static_cast<uint16_t>(at[0] | (static_cast<uint32_t>(at[1]) << 8));
}

inline uint32_t load_u32(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) | (static_cast<uint32_t>(at[1]) << 8) |
         (static_cast<uint32_t>(at[2]) << 16) | (static_cast<uint32_t>(at[3]) << 24);
}

inline uint64_t load_u64(const uint8_t* at) {
  return load_u32(at) | (static_cast<uint64_t>(load_u32(at + 4)) << 32);
}

inline float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

inline float load_f32(const uint8_t* at) { return float_of_bits(load_u32(at)); }

// False where a * b does not fit; then *product is not written.
inline bool multiply(uint64_t a, uint64_t b, uint64_t* product) {
  if (b != 0 && a > UINT64_MAX / b) return false;
  *product = a * b;
  return true;
}

constexpr uint64_t divide_up(uint64_t a, uint64_t b) { return a / b + (a % b != 0 ? 1 : 0); }
constexpr uint64_t round_up(uint64_t a, uint64_t b) { return divide_up(a, b) * b; }

}  // namespace pocketlens

#endif
