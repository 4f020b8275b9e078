// exp, log, tanh, erf of a vector of floats, to a few units in the last place.
//
// Sources: the polynomials of exp, log and tanh are those of Moshier's Cephes library (expf.c,
// logf.c, tanhf.c). Our own, fitted to the least greatest relative error by Lawson's reweighting:
// exp where one scale will do (3.1e-9), and erf(x) = x P(x^2) / Q(x^2) up to 3.92 (5.2e-8), beyond
// which it is 1 in single precision.
//
// What is not a number stays so through all of them.
#ifndef POCKETLENS_KERNELS_MATH_INL_H
#define POCKETLENS_KERNELS_MATH_INL_H

#include "kernels/vector-inl.h"

namespace pocketlens {
namespace {

POCKETLENS_INLINE I bits_of(V v) {
  I bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}

POCKETLENS_INLINE V of_bits(I bits) {
  V v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

// Whole numbers modulo 2^32: what a bit pattern becomes may pass the ends of int32_t.
POCKETLENS_INLINE I plus(I a, int32_t b) {
  typedef uint32_t U __attribute__((vector_size(kWidth * 4)));
  return (I)((U)a + (uint32_t)b);
}

POCKETLENS_INLINE V absolute(V x) { return of_bits(bits_of(x) & 0x7fffffff); }
// |x| with the sign of `sign`; x is not negative.
POCKETLENS_INLINE V with_sign(V x, V sign) {
  return of_bits(bits_of(x) | (bits_of(sign) & (I{} + INT32_MIN)));
}

// The polynomial with these coefficients, the highest power first.
template <int kCount>
POCKETLENS_INLINE V polynomial(V x, const float (&coefficients)[kCount]) {
  V sum = splat(coefficients[0]);
  POCKETLENS_UNROLL
  for (int i = 1; i < kCount; ++i) sum = sum * x + coefficients[i];
  return sum;
}

// exp(x) = scale1 scale2 (1 + rest). Two scales, so that neither leaves the range of floats.
struct ExpParts {
  V rest, scale1, scale2;
};

POCKETLENS_INLINE ExpParts exp_parts(V x) {
  constexpr float kCoefficients[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                     4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
  x = clamp(x, splat(-104.f), splat(89.f));
  const float round = 12582912.f;  // 1.5 * 2^23: adding it rounds to a whole number
  const V shifted = x * 1.44269504088896341f + round;
  const V whole = shifted - round;
  const V r = x - whole * 0.693359375f - whole * -2.12194440e-4f;
  const I n = plus(bits_of(shifted), -0x4b400000);
  const I half = n >> 1;
  return {polynomial(r, kCoefficients) * r * r + r, of_bits(plus(half, 127) << 23),
          of_bits(plus(n - half, 127) << 23)};
}

POCKETLENS_MATH V exponential(V x) {
  const ExpParts e = exp_parts(x);
  return (e.rest + 1.f) * e.scale1 * e.scale2;
}

// exp(x); infinity from 88.4 on, 0 where it would be under 1.2e-38.
POCKETLENS_MATH V exponential_near(V x) {
  constexpr float kCoefficients[] = {
      1.38145401e-3f, 8.3687452e-3f, 4.16683908e-2f, 1.66665204e-1f, 4.99999934e-1f, 1.f, 1.f};
  x = clamp(x, splat(-88.f), splat(89.f));
  // The lowest bits of 1.5 * 2^23 + 127 + n are those of a float's exponent.
  const float round = 12583039.f;
  const V shifted = x * 1.44269504088896341f + round;
  const V whole = shifted - round;
  const V r = x - whole * 0.693359375f - whole * -2.12194440e-4f;
  return polynomial(r, kCoefficients) * of_bits(bits_of(shifted) << 23);
}

// exp(x) - 1 for x <= 0, accurate near 0.
POCKETLENS_INLINE V exponential_minus_1(V x) {
  const ExpParts e = exp_parts(x);
  const V scale = e.scale1 * e.scale2;
  return e.rest * scale + (scale - 1.f);
}

// log(x) for normal x > 0.
POCKETLENS_MATH V log_normal(V x) {
  constexpr float kCoefficients[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                     -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                     2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
  // x = 2^n m with m in [sqrt(1/2), sqrt(2))
  const I shifted = plus(bits_of(x), -0x3f3504f3);
  const V n = __builtin_convertvector(shifted >> 23, V);
  const V m = of_bits((shifted & 0x7fffff) + 0x3f3504f3) - 1.f;
  const V square = m * m;
  V y = polynomial(m, kCoefficients) * m * square;
  y += n * -2.12194440e-4f;
  y -= square * 0.5f;
  return m + y + n * 0.693359375f;
}

POCKETLENS_MATH V logarithm(V x) {
  const float infinity = __builtin_inff();
  const I tiny = x < 1.17549435e-38f;  // subnormal, zero or negative
  V y = log_normal(select(tiny, x * 8388608.f, x)) - select(tiny, splat(15.9423851528787f), V{});
  y = select(x == V{}, splat(-infinity), y);
  y = select(x < V{}, splat(__builtin_nanf("")), y);
  return select((x < infinity), y, select(x == infinity, x, x + y));
}

// log(1 + x) for x in [0, 1]: what 1 + x loses of x is added to first order.
POCKETLENS_INLINE V log_1_plus(V x) {
  const V u = x + 1.f;
  return log_normal(u) + (x - (u - 1.f)) / u;
}

POCKETLENS_MATH V sigmoid(V x) { return 1.f / (exponential_near(-x) + 1.f); }

POCKETLENS_MATH V hyperbolic_tangent(V x) {
  constexpr float kCoefficients[] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f,
                                     1.33314422036e-1f, -3.33332819422e-1f};
  const V square = x * x, size = absolute(x);
  const V small = polynomial(square, kCoefficients) * square * x + x;
  const V large = 1.f - 2.f / (exponential_near(size + size) + 1.f);
  return select(size < 0.625f, small, with_sign(large, x));
}

POCKETLENS_MATH V error_function(V x) {
  constexpr float kAbove[] = {1.99242479e-8f, -1.95784562e-6f, 1.41852427e-4f, 3.70168438e-3f,
                              5.05735579e-2f, 1.9992622e-1f,   1.12837911f};
  constexpr float kBelow[] = {9.56057801e-4f, 1.43533527e-2f, 1.14999119e-1f, 5.10511654e-1f, 1.f};
  const V square = x * x;
  const V near = x * polynomial(square, kAbove) / polynomial(square, kBelow);
  return select(absolute(x) >= 3.92f, with_sign(splat(1.f), x), near);
}

}  // namespace
}  // namespace pocketlens

#endif
