// The tables of every target_<name>.cc of this build. Only dispatch.cc and bind/wasm read it.
#ifndef POCKETLENS_KERNELS_TARGETS_H
#define POCKETLENS_KERNELS_TARGETS_H

#include "kernels/table.h"

namespace pocketlens {

#if defined(__x86_64__)
extern const KernelTable kAvx512Table, kAvx2Table, kSse2Table;
void use_avx512_bf16(KernelTable* table);  // its kernels in the place of avx512's
#elif defined(__aarch64__)
extern const KernelTable kNeonTable;
#elif defined(__wasm_simd128__)
extern const KernelTable kWasmTable;
#endif
extern const KernelTable kScalarTable;

}  // namespace pocketlens

#endif
