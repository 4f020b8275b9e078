// A module of kernels: where in its memory the table is.
#include "kernels/targets.h"

extern "C" __attribute__((export_name("kernels"))) const pocketlens::KernelTable* kernels() {
  return &pocketlens::kWasmTable;
}
