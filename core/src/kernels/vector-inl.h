// A vector of floats as wide as the target's registers, in the vector extensions of GCC and Clang.
// A target defines POCKETLENS_VECTOR_LANES (4, 8 or 16) before it includes this.
//
// Everything in the -inl.h files stands in unnamed namespaces: each target compiles its own copy
// with its own instructions, and the linker never exchanges them.
#ifndef POCKETLENS_KERNELS_VECTOR_INL_H
#define POCKETLENS_KERNELS_VECTOR_INL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__wasm_relaxed_simd__)
#include <wasm_simd128.h>
#endif

#include "kernels/table.h"

#define POCKETLENS_INLINE inline __attribute__((always_inline))
#if defined(__wasm__)  // a page waits for every byte of code
#define POCKETLENS_MATH __attribute__((noinline))
#else
#define POCKETLENS_MATH POCKETLENS_INLINE
#endif
#define POCKETLENS_SINK __attribute__((always_inline))
#if defined(__clang__)
#define POCKETLENS_UNROLL _Pragma("clang loop unroll(full)")
#else
#define POCKETLENS_UNROLL _Pragma("GCC unroll 32")
#endif

namespace pocketlens {
namespace {

constexpr int kWidth = POCKETLENS_VECTOR_LANES;
constexpr int kVectors = kLanes / kWidth;  // vectors of a panel's 16 outputs

typedef float V __attribute__((vector_size(kWidth * 4)));
typedef int32_t I __attribute__((vector_size(kWidth * 4)));
typedef float UnalignedV __attribute__((vector_size(kWidth * 4), aligned(4)));

POCKETLENS_INLINE V load(const float* p) { return *reinterpret_cast<const UnalignedV*>(p); }
POCKETLENS_INLINE void store(float* p, V v) { *reinterpret_cast<UnalignedV*>(p) = v; }
POCKETLENS_INLINE V splat(float x) { return x - V{}; }
POCKETLENS_INLINE V select(I condition, V yes, V no) { return condition ? yes : no; }

// sum + a b, rounded once where the target can.
POCKETLENS_INLINE V multiply_add(V a, V b, V sum) {
#if defined(__wasm_relaxed_simd__)
  return (V)wasm_f32x4_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)sum);
#else
  return sum + a * b;  // -ffp-contract=fast
#endif
}

// min(max(v, low), high); what is not a number stays so.
POCKETLENS_INLINE V clamp(V v, V low, V high) {
  const V raised = select(v < low, low, v);
  return select(high < raised, high, raised);
}

// POCKETLENS_SWAPPED(v, n): lane i holds what lane i ^ n held, n a power of 2 below kWidth.
// first_pairs(a, b), last_pairs(a, b): lanes of a and b in turns, of their first or last halves.
#if POCKETLENS_VECTOR_LANES == 16
#define POCKETLENS_SWAPPED(v, n)                                                               \
  __builtin_shufflevector(v, v, 0 ^ n, 1 ^ n, 2 ^ n, 3 ^ n, 4 ^ n, 5 ^ n, 6 ^ n, 7 ^ n, 8 ^ n, \
                          9 ^ n, 10 ^ n, 11 ^ n, 12 ^ n, 13 ^ n, 14 ^ n, 15 ^ n)
POCKETLENS_INLINE V first_pairs(V a, V b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
POCKETLENS_INLINE V last_pairs(V a, V b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
}
#elif POCKETLENS_VECTOR_LANES == 8
#define POCKETLENS_SWAPPED(v, n) \
  __builtin_shufflevector(v, v, 0 ^ n, 1 ^ n, 2 ^ n, 3 ^ n, 4 ^ n, 5 ^ n, 6 ^ n, 7 ^ n)
POCKETLENS_INLINE V first_pairs(V a, V b) {
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
POCKETLENS_INLINE V last_pairs(V a, V b) {
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}
#else
#define POCKETLENS_SWAPPED(v, n) __builtin_shufflevector(v, v, 0 ^ n, 1 ^ n, 2 ^ n, 3 ^ n)
POCKETLENS_INLINE V first_pairs(V a, V b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
POCKETLENS_INLINE V last_pairs(V a, V b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
#endif

// All lanes joined by `join`, in every lane.
template <class Join>
POCKETLENS_INLINE V join_lanes(V v, Join join) {
#if POCKETLENS_VECTOR_LANES == 16
  v = join(v, POCKETLENS_SWAPPED(v, 8));
#endif
#if POCKETLENS_VECTOR_LANES >= 8
  v = join(v, POCKETLENS_SWAPPED(v, 4));
#endif
  v = join(v, POCKETLENS_SWAPPED(v, 2));
  return join(v, POCKETLENS_SWAPPED(v, 1));
}

POCKETLENS_INLINE V sum_of_lanes(V v) {
  return join_lanes(v, [](V a, V b) POCKETLENS_SINK { return a + b; });
}
POCKETLENS_INLINE V greatest_lane(V v) {
  return join_lanes(v, [](V a, V b) POCKETLENS_SINK { return select(b > a, b, a); });
}

}  // namespace
}  // namespace pocketlens

#endif
