// CPUID and XGETBV by hand: __builtin_cpu_supports answers "no" to everything in shared libraries
// that some toolchains link. Bits: Intel 64 and IA-32 Software Developer's Manual, volume 2A,
// CPUID leaves 1 and 7; volume 1, chapter 13 (XCR0).
#include "simd/cpu.h"

#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace pocketlens {

#if defined(__x86_64__)

namespace {

constexpr uint32_t bit(int number) { return uint32_t{1} << number; }

bool all(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

struct Features {
  uint32_t leaf1_c;
  uint32_t leaf7_b, leaf7_c;
  uint32_t leaf7_1_a;  // of its second part
  uint32_t saved;      // XCR0, low half
};

Features read_features() {
  Features features = {};
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return features;
  features.leaf1_c = c;
  if (!(c & bit(27))) return features;  // OSXSAVE: XGETBV may be asked
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  features.saved = low;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    features.leaf7_b = b;
    features.leaf7_c = c;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) features.leaf7_1_a = a;
  }
  return features;
}

bool has_avx2(const Features& f) {
  return all(f.saved, bit(1) | bit(2)) &&                // xmm, ymm
         all(f.leaf1_c, bit(12) | bit(28) | bit(29)) &&  // FMA, AVX, F16C
         all(f.leaf7_b, bit(5));                         // AVX2
}

bool has_avx512(const Features& f) {
  return has_avx2(f) && all(f.saved, bit(5) | bit(6) | bit(7)) &&  // masks, zmm
         all(f.leaf7_b, bit(16) | bit(17) | bit(30) | bit(31)) &&  // F, DQ, BW, VL
         all(f.leaf7_c, bit(1));                                   // VBMI
}

}  // namespace

bool cpu_runs_avx2() { return has_avx2(read_features()); }

bool cpu_runs_avx512() { return has_avx512(read_features()); }

bool cpu_runs_avx512_bf16() {
  const Features f = read_features();
  return has_avx512(f) && all(f.leaf7_1_a, bit(5));  // AVX512_BF16
}

#else

bool cpu_runs_avx2() { return false; }
bool cpu_runs_avx512() { return false; }
bool cpu_runs_avx512_bf16() { return false; }

#endif

}  // namespace pocketlens
