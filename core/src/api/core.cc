// The C interface (core.h) over run/. Checks pointers, finds the target, passes on.
#include <pocketlens/core.h>
#include <string.h>

#include <new>

#include "base/status.h"
#include "kernels/table.h"
#include "photo/prepare.h"
#include "run/lens.h"

struct pl_lens {
  explicit pl_lens(const pocketlens::KernelTable& kernels) : lens(kernels) {}
  pocketlens::Lens lens;
};

struct pl_photo {
  pocketlens::Prepare prepare;
};

namespace {

using pocketlens::Code;
using pocketlens::Precision;
using pocketlens::Prepare;
using pocketlens::Status;

constexpr uint32_t kMaxThreads = 256;

static_assert(static_cast<int>(Code::kOk) == PL_OK);
static_assert(static_cast<int>(Code::kNoTarget) == PL_NO_TARGET);
static_assert(static_cast<int>(Code::kSections) == PL_SECTIONS);
static_assert(static_cast<int>(Code::kPalette) == PL_PALETTE);
static_assert(static_cast<int>(Code::kAttribute) == PL_ATTRIBUTE);
static_assert(static_cast<int>(Code::kBandNumber) == PL_BAND_NUMBER);
static_assert(static_cast<int>(Code::kNotReady) == PL_NOT_READY);
static_assert(static_cast<int>(Code::kMaskCount) == PL_MASK_COUNT);
static_assert(static_cast<int>(Code::kRecipe) == PL_RECIPE);
static_assert(static_cast<int>(Code::kCut) == PL_CUT);
static_assert(static_cast<int>(Code::kNoPrecision) == PL_NO_PRECISION);
static_assert(static_cast<int>(Precision::kBf16) == PL_BF16);

pl_status to_c(const Status& status) {
  return {static_cast<int32_t>(status.code), status.op, status.tensor, status.seen,
          status.expected};
}

pocketlens::Recipe recipe_of(const pl_recipe& given) {
  pocketlens::Recipe recipe;
  recipe.resize = static_cast<pocketlens::Resize>(given.resize);
  recipe.resize_height = given.resize_height;
  recipe.resize_width = given.resize_width;
  recipe.filter = static_cast<pocketlens::Filter>(given.filter);
  recipe.height = given.height;
  recipe.width = given.width;
  recipe.channels = static_cast<pocketlens::Channels>(given.channels);
  memcpy(recipe.mean, given.mean, sizeof recipe.mean);
  memcpy(recipe.scale, given.scale, sizeof recipe.scale);
  recipe.mean_picture = given.mean_picture;
  return recipe;
}

// A photo that `begin` has begun, in `photo`; null there where it failed.
template <typename Begin>
Status begin_photo(pl_photo** photo, const Begin& begin) {
  *photo = nullptr;
  pl_photo* begun = new (std::nothrow) pl_photo;
  if (begun == nullptr) return pocketlens::fail(Code::kNoMemory);
  const Status status = begin(begun->prepare);
  if (status.ok()) {
    *photo = begun;
  } else {
    delete begun;
  }
  return status;
}

const pocketlens::KernelTable* find_target(const char* name, Precision precision) {
  for (size_t i = 0; i < pocketlens::kernel_table_count(precision); ++i) {
    const pocketlens::KernelTable& table = pocketlens::kernel_table(i, precision);
    if (name == nullptr || strcmp(name, table.name) == 0) return &table;
  }
  return nullptr;
}

}  // namespace

extern "C" {

size_t pl_target_count(pl_precision precision) {
  return pocketlens::kernel_table_count(static_cast<Precision>(precision));
}

const char* pl_target_name(pl_precision precision, size_t number) {
  if (number >= pl_target_count(precision)) return nullptr;
  return pocketlens::kernel_table(number, static_cast<Precision>(precision)).name;
}

pl_status pl_open(const uint8_t* plan, size_t plan_bytes, const char* target,
                  pl_precision precision, uint32_t threads, pl_lens** lens) {
  if (plan == nullptr || lens == nullptr) return to_c(pocketlens::fail(Code::kBadArgument));
  *lens = nullptr;
  if (threads < 1 || threads > kMaxThreads) {
    return to_c(pocketlens::fail(Code::kBadArgument, threads, kMaxThreads));
  }
  if (precision != PL_FP32 && precision != PL_BF16)
    return to_c(pocketlens::fail(Code::kBadArgument));
  const Precision wanted = static_cast<Precision>(precision);
  const pocketlens::KernelTable* kernels = find_target(target, wanted);
  if (kernels == nullptr) {
    const bool there = find_target(target, Precision::kFp32) != nullptr;
    return to_c(pocketlens::fail(there ? Code::kNoPrecision : Code::kNoTarget));
  }
  pl_lens* opened = new (std::nothrow) pl_lens(*kernels);
  if (opened == nullptr) return to_c(pocketlens::fail(Code::kNoMemory));
  const Status status = opened->lens.open(plan, plan_bytes, threads);
  if (!status.ok()) {
    delete opened;
    return to_c(status);
  }
  *lens = opened;
  return to_c(status);
}

pl_status pl_open_beside(const pl_lens* other, const uint8_t* plan, size_t plan_bytes,
                         uint32_t threads, pl_lens** lens) {
  if (other == nullptr || plan == nullptr || lens == nullptr) {
    return to_c(pocketlens::fail(Code::kBadArgument));
  }
  *lens = nullptr;
  if (threads < 1 || threads > kMaxThreads) {
    return to_c(pocketlens::fail(Code::kBadArgument, threads, kMaxThreads));
  }
  pl_lens* opened = new (std::nothrow) pl_lens(other->lens.kernels());
  if (opened == nullptr) return to_c(pocketlens::fail(Code::kNoMemory));
  const Status status = opened->lens.open_beside(other->lens, plan, plan_bytes, threads);
  if (!status.ok()) {
    delete opened;
    return to_c(status);
  }
  *lens = opened;
  return to_c(status);
}

pl_status pl_feed(pl_lens* lens, uint32_t plane, uint32_t band, uint8_t* rows, size_t row_bytes) {
  if (lens == nullptr || rows == nullptr) return to_c(pocketlens::fail(Code::kBadArgument));
  return to_c(lens->lens.feed(plane, band, rows, row_bytes));
}

size_t pl_input_floats(const pl_lens* lens, size_t number) {
  return number < lens->lens.input_count() ? lens->lens.input_floats(number) : 0;
}

size_t pl_output_floats(const pl_lens* lens, size_t number) {
  return number < lens->lens.output_count() ? lens->lens.output_floats(number) : 0;
}

int pl_is_ready(const pl_lens* lens) { return lens->lens.is_ready() ? 1 : 0; }

pl_status pl_run(pl_lens* lens, uint32_t batch, const float* const* inputs, float* const* outputs) {
  if (lens == nullptr || inputs == nullptr || outputs == nullptr) {
    return to_c(pocketlens::fail(Code::kBadArgument));
  }
  return to_c(lens->lens.run(batch, inputs, outputs));
}

pl_status pl_photo_begin(const pl_recipe* recipe, uint32_t width, uint32_t height,
                         uint32_t pixel_bytes, uint32_t crops, pl_photo** photo) {
  if (recipe == nullptr || photo == nullptr) return to_c(pocketlens::fail(Code::kBadArgument));
  return to_c(begin_photo(photo, [&](Prepare& prepare) {
    return prepare.begin(recipe_of(*recipe), {width, height, pixel_bytes}, crops);
  }));
}

pl_status pl_photo_begin_cut(const pl_recipe* recipe, uint32_t width, uint32_t height,
                             uint32_t pixel_bytes, uint32_t step, int mirrored, pl_photo** photo,
                             uint32_t* cut_width, uint32_t* cut_height) {
  if (recipe == nullptr || photo == nullptr || cut_width == nullptr || cut_height == nullptr) {
    return to_c(pocketlens::fail(Code::kBadArgument));
  }
  pocketlens::Box cut = {};
  const Status status = begin_photo(photo, [&](Prepare& prepare) {
    const pocketlens::PhotoSize size = {width, height, pixel_bytes};
    return prepare.begin_cut(recipe_of(*recipe), size, step, mirrored != 0, &cut);
  });
  *cut_width = cut.width;
  *cut_height = cut.height;
  return to_c(status);
}

pl_status pl_photo_rows(pl_photo* photo, const uint8_t* pixels, uint32_t rows) {
  if (photo == nullptr || pixels == nullptr) return to_c(pocketlens::fail(Code::kBadArgument));
  return to_c(photo->prepare.take(pixels, rows));
}

pl_status pl_photo_end(pl_photo* photo, float* inputs) {
  const bool wanted = photo != nullptr && inputs != nullptr;
  const Status status = wanted ? photo->prepare.finish(inputs) : Status();
  delete photo;
  return to_c(status);
}

pl_memory pl_memory_of(const pl_lens* lens) {
  const pocketlens::LensMemory memory = lens->lens.memory();
  return {memory.weights, memory.packed, memory.arena, memory.scratch};
}

uint64_t pl_shared_of(const pl_lens* lens) { return lens->lens.shared_bytes(); }

const char* pl_target_of(const pl_lens* lens) { return lens->lens.target(); }

pl_precision pl_precision_of(const pl_lens* lens) {
  return lens->lens.is_bf16() ? PL_BF16 : PL_FP32;
}

void pl_close(pl_lens* lens) { delete lens; }
}
