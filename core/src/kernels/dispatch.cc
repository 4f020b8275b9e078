// Which tables this machine can run, best first. A browser's are chosen by the page.
#include "kernels/targets.h"
#include "simd/cpu.h"

namespace pocketlens {

namespace {

struct Tables {
  const KernelTable* table[5];
  size_t count;
  KernelTable bf16[1];
  size_t bf16_count;
};

Tables list_tables() {
  Tables tables = {};
#if defined(__x86_64__)
  if (cpu_runs_avx512()) tables.table[tables.count++] = &kAvx512Table;
  if (cpu_runs_avx512_bf16()) {
    KernelTable& table = tables.bf16[tables.bf16_count++];
    table = kAvx512Table;
    use_avx512_bf16(&table);
  }
  if (cpu_runs_avx2()) tables.table[tables.count++] = &kAvx2Table;
  tables.table[tables.count++] = &kSse2Table;
#elif defined(__aarch64__)
  tables.table[tables.count++] = &kNeonTable;
#endif
  tables.table[tables.count++] = &kScalarTable;
  return tables;
}

const Tables& tables() {
  static const Tables found = list_tables();
  return found;
}

}  // namespace

size_t kernel_table_count(Precision precision) {
  return precision == Precision::kBf16 ? tables().bf16_count : tables().count;
}

const KernelTable& kernel_table(size_t number, Precision precision) {
  return precision == Precision::kBf16 ? tables().bf16[number] : *tables().table[number];
}

}  // namespace pocketlens
