// Which tables this machine can run, best first.
#include "kernels/targets.h"
#include "simd/cpu.h"

namespace pocketlens {

namespace {

struct Tables {
  const KernelTable* table[5];
  size_t count;
};

Tables list_tables() {
  Tables tables = {};
  tables.table[tables.count++] = &kScalarTable;
  return tables;
}

const Tables& tables() {
  static const Tables found = list_tables();
  return found;
}

}  // namespace

size_t kernel_table_count() { return tables().count; }

const KernelTable& kernel_table(size_t number) { return *tables().table[number]; }

}  // namespace pocketlens
