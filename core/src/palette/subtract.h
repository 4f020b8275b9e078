// Rows taken from a row, many times over: what later weights make good of earlier errors.
#ifndef POCKETLENS_PALETTE_SUBTRACT_H
#define POCKETLENS_PALETTE_SUBTRACT_H

#include <stddef.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define POCKETLENS_WIDE 1
#endif

namespace pocketlens::palette {

// `count` rows of floats, each `stride` after the one before, and a factor for each.
struct Scaled {
  const float* rows;
  size_t stride;
  const float* factors;
  size_t factor_stride;
  size_t count;
};

// into[i] -= factor x row[i] for i below `width`, row after row.
using Subtract = void (*)(const Scaled& scaled, size_t width, float* into);

inline __attribute__((always_inline)) void subtract_any(const Scaled& scaled, size_t width,
                                                        float* into) {
  for (size_t j = 0; j < scaled.count; ++j) {
    const float factor = scaled.factors[j * scaled.factor_stride];
    const float* row = scaled.rows + j * scaled.stride;
    for (size_t i = 0; i < width; ++i) into[i] -= factor * row[i];
  }
}

inline void subtract_plain(const Scaled& scaled, size_t width, float* into) {
  subtract_any(scaled, width, into);
}

#if POCKETLENS_WIDE
// No FMA: every instruction set rounds alike.
__attribute__((target("avx2"))) inline void subtract_avx2(const Scaled& scaled, size_t width,
                                                          float* into) {
  subtract_any(scaled, width, into);
}

inline Subtract choose_subtract() {
  return __builtin_cpu_supports("avx2") ? subtract_avx2 : subtract_plain;
}
#else
inline Subtract choose_subtract() { return subtract_plain; }
#endif

}  // namespace pocketlens::palette

#endif
