// Which instruction sets this machine can run.
#ifndef POCKETLENS_SIMD_CPU_H
#define POCKETLENS_SIMD_CPU_H

namespace pocketlens {

// AVX-512 F, BW, VL, DQ and VBMI, with the registers saved by the operating system.
bool cpu_runs_avx512();
// The same and AVX512_BF16.
bool cpu_runs_avx512_bf16();
// AVX2, FMA and F16C, with the registers saved by the operating system.
bool cpu_runs_avx2();

}  // namespace pocketlens

#endif
