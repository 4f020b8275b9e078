// Sixteen floats, a cache line, as four vectors of four: what every instruction set has at least.
// For the memory-bound operators of run/; what is bound by arithmetic is in kernels/.
#ifndef POCKETLENS_BASE_LANES_H
#define POCKETLENS_BASE_LANES_H

#include <stddef.h>
#include <string.h>

namespace pocketlens {

typedef float Vector4 __attribute__((vector_size(16)));

struct Lanes {
  Vector4 a, b, c, d;

  static Lanes load(const float* at) {
    Lanes x;
    memcpy(&x, at, sizeof x);
    return x;
  }
  static Lanes splat(float value) {
    const Vector4 v = {value, value, value, value};
    return Lanes{v, v, v, v};
  }
  void store(float* at) const { memcpy(at, this, sizeof *this); }
};

inline Lanes operator+(Lanes x, Lanes y) { return {x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d}; }
inline Lanes operator-(Lanes x, Lanes y) { return {x.a - y.a, x.b - y.b, x.c - y.c, x.d - y.d}; }
inline Lanes operator*(Lanes x, Lanes y) { return {x.a * y.a, x.b * y.b, x.c * y.c, x.d * y.d}; }
inline Lanes operator/(Lanes x, Lanes y) { return {x.a / y.a, x.b / y.b, x.c / y.c, x.d / y.d}; }

inline Vector4 greater_of(Vector4 x, Vector4 y) { return x > y ? x : y; }
inline Vector4 less_of(Vector4 x, Vector4 y) { return x < y ? x : y; }
inline Lanes greater_of(Lanes x, Lanes y) {
  return {greater_of(x.a, y.a), greater_of(x.b, y.b), greater_of(x.c, y.c), greater_of(x.d, y.d)};
}
inline Lanes less_of(Lanes x, Lanes y) {
  return {less_of(x.a, y.a), less_of(x.b, y.b), less_of(x.c, y.c), less_of(x.d, y.d)};
}

// `count` values of three planes that stand `plane` floats apart, in turns: a photo's channels.
inline void interleave_three(const float* from, size_t plane, size_t count, float* to) {
  const auto load = [](const float* at) {
    Vector4 v;
    memcpy(&v, at, sizeof v);
    return v;
  };
  size_t i = 0;
  for (; i + 4 <= count; i += 4, to += 12) {
    const Vector4 r = load(from + i), g = load(from + plane + i), b = load(from + 2 * plane + i);
    const Vector4 first = __builtin_shufflevector(r, g, 0, 4, 1, 5);   // r0 g0 r1 g1
    const Vector4 second = __builtin_shufflevector(r, g, 2, 6, 3, 7);  // r2 g2 r3 g3
    const Vector4 middle = __builtin_shufflevector(first, b, 3, 5, 3, 5);
    const Vector4 out[3] = {__builtin_shufflevector(first, b, 0, 1, 4, 2),
                            __builtin_shufflevector(middle, second, 0, 1, 4, 5),
                            __builtin_shufflevector(second, b, 6, 2, 3, 7)};
    memcpy(to, out, sizeof out);
  }
  for (; i < count; ++i, to += 3) {
    for (size_t c = 0; c < 3; ++c) to[c] = from[c * plane + i];
  }
}

inline float sum_of(Lanes x) {
  const Vector4 s = (x.a + x.b) + (x.c + x.d);
  return (s[0] + s[1]) + (s[2] + s[3]);
}

}  // namespace pocketlens

#endif
