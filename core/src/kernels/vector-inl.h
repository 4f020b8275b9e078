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

}  // namespace
}  // namespace pocketlens

#endif
