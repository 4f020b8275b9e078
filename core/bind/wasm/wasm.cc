// The core for a browser: core.h with addresses in the module's memory, what C++ asks of its
// library, and the kernels, which are a module of their own (tools/build_wasm.py tells of both).
// web/engine.js is the caller; what goes wrong is told by pl_status at `status`.
#include <pocketlens/core.h>
#include <stdlib.h>

#include <new>

#include "kernels/table.h"

void* operator new(size_t size, const std::nothrow_t&) noexcept { return malloc(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return malloc(size); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }

// Called for a pure virtual function: there are none in an object that is whole.
extern "C" void __cxa_pure_virtual() { __builtin_trap(); }
extern "C" int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }

namespace pocketlens {

extern "C" {
__attribute__((import_module("env"), import_name("kernels"))) const KernelTable* kernels();
}

size_t kernel_table_count(Precision precision) { return precision == Precision::kFp32 ? 1 : 0; }
const KernelTable& kernel_table(size_t, Precision) { return *kernels(); }

}  // namespace pocketlens

#define POCKETLENS_EXPORT(name) extern "C" __attribute__((export_name(#name)))

// Memory for what is handed in or out; 0 where there is none.
POCKETLENS_EXPORT(allocate) void* allocate(size_t bytes) { return malloc(bytes); }
POCKETLENS_EXPORT(release) void release(void* memory) { free(memory); }

POCKETLENS_EXPORT(target) const char* target() { return pl_target_name(PL_FP32, 0); }

// The lens, or 0: then `status` says why.
POCKETLENS_EXPORT(open_lens)
pl_lens* open_lens(const uint8_t* plan, size_t plan_bytes, pl_status* status) {
  pl_lens* lens = nullptr;
  *status = pl_open(plan, plan_bytes, nullptr, PL_FP32, 1, &lens);
  return lens;
}

POCKETLENS_EXPORT(feed)
int32_t feed(pl_lens* lens, uint32_t plane, uint32_t band, uint8_t* rows, size_t row_bytes,
             pl_status* status) {
  *status = pl_feed(lens, plane, band, rows, row_bytes);
  return status->code;
}

POCKETLENS_EXPORT(input_floats)
size_t input_floats(const pl_lens* lens, size_t number) { return pl_input_floats(lens, number); }
POCKETLENS_EXPORT(output_floats)
size_t output_floats(const pl_lens* lens, size_t number) { return pl_output_floats(lens, number); }

// inputs, outputs: addresses of the arrays, each for `batch` images.
POCKETLENS_EXPORT(run)
int32_t run(pl_lens* lens, uint32_t batch, const float* const* inputs, float* const* outputs,
            pl_status* status) {
  *status = pl_run(lens, batch, inputs, outputs);
  return status->code;
}

// The photo, or 0: then `status` says why.
POCKETLENS_EXPORT(photo_begin)
pl_photo* photo_begin(const pl_recipe* recipe, uint32_t width, uint32_t height, uint32_t crops,
                      pl_status* status) {
  pl_photo* photo = nullptr;
  *status = pl_photo_begin(recipe, width, height, 4, crops, &photo);
  return photo;
}

POCKETLENS_EXPORT(photo_rows)
int32_t photo_rows(pl_photo* photo, const uint8_t* pixels, uint32_t rows, pl_status* status) {
  *status = pl_photo_rows(photo, pixels, rows);
  return status->code;
}

POCKETLENS_EXPORT(photo_end)
int32_t photo_end(pl_photo* photo, float* inputs, pl_status* status) {
  *status = pl_photo_end(photo, inputs);
  return status->code;
}

POCKETLENS_EXPORT(memory_of) void memory_of(const pl_lens* lens, pl_memory* memory) {
  *memory = pl_memory_of(lens);
}

POCKETLENS_EXPORT(close_lens) void close_lens(pl_lens* lens) { pl_close(lens); }
