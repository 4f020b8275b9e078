// A hostile plan is refused or runs; it never crashes, hangs or reads beyond its bytes. Small valid
// plans are cut at every byte, every word is replaced, and words are replaced at random, several at
// a time. Worth most when built with POCKETLENS_SANITIZE.
//
//   plan_test [random mutations a plan, 50000 if not given]
#include <pocketlens/core.h>
#include <stdio.h>
#include <stdlib.h>

#include <memory>
#include <random>

#include "small_plans.h"

// A plan may ask for more memory than there is; that is an answer, not a crash.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __ubsan_default_options() { return "halt_on_error=1:print_stacktrace=1"; }

namespace pocketlens::test {
namespace {

int failures = 0;
long refused = 0, ran = 0;
long by_code[32] = {};

void expect(bool holds, const char* what) {
  if (!holds && ++failures < 20) printf("FAILED %s\n", what);
}

constexpr uint64_t kRunBytes = 1 << 19;  // larger networks are judged and opened, not run

// Runs a lens if it is small enough to be run many thousand times.
void run_small(pl_lens* lens) {
  const pl_memory memory = pl_memory_of(lens);
  std::vector<std::vector<float>> inputs, outputs;
  uint64_t bytes = memory.arena + memory.weights;
  for (size_t i = 0; pl_input_floats(lens, i) != 0 && bytes < kRunBytes; ++i) {
    bytes += 4 * pl_input_floats(lens, i);
    if (bytes < kRunBytes) inputs.emplace_back(pl_input_floats(lens, i), 0.5f);
  }
  for (size_t i = 0; pl_output_floats(lens, i) != 0 && bytes < kRunBytes; ++i) {
    bytes += 4 * pl_output_floats(lens, i);
    if (bytes < kRunBytes) outputs.emplace_back(pl_output_floats(lens, i));
  }
  if (bytes >= kRunBytes) return;
  std::vector<const float*> from;
  std::vector<float*> to;
  for (auto& input : inputs) from.push_back(input.data());
  for (auto& output : outputs) to.push_back(output.data());
  const pl_status status = pl_run(lens, 1, from.data(), to.data());
  expect(status.code == PL_OK || status.code == PL_NOT_READY, "a run that was refused");
  if (status.code == PL_OK) ++ran;
}

// The exact bytes on the heap, so that reading beyond them is seen.
pl_status try_plan(const Bytes& bytes, const std::vector<BandBytes>& bands) {
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[bytes.size()]);
  if (!bytes.empty()) memcpy(copy.get(), bytes.data(), bytes.size());
  pl_lens* lens = nullptr;
  const pl_status status = pl_open(copy.get(), bytes.size(), "scalar", 1, &lens);
  expect((status.code == PL_OK) == (lens != nullptr), "success without a lens");
  if (status.code >= 0 && status.code < 32) ++by_code[status.code];
  if (status.code != PL_OK) {
    ++refused;
    return status;
  }
  for (const BandBytes& band : bands) {
    const std::unique_ptr<uint8_t[]> rows(new uint8_t[band.rows.size()]);
    memcpy(rows.get(), band.rows.data(), band.rows.size());
    pl_feed(lens, band.tensor, band.band, rows.get(), band.rows.size());
  }
  run_small(lens);
  pl_close(lens);
  return status;
}

void set_word(Bytes* bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4 && at + i < bytes->size(); ++i) {
    (*bytes)[at + i] = static_cast<uint8_t>(value >> (8 * i));
  }
}

uint32_t word_of(const Bytes& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= static_cast<uint32_t>(bytes[at + i]) << (8 * i);
  return value;
}

constexpr uint32_t kNasty[] = {0,          1,          2,          3,          5,
                               16,         17,         63,         64,         255,
                               65536,      1u << 24,   0x7FFFFFFF, 0x80000000, 0x80000001,
                               0xFFFFFFFF, 0x7F800000, 0x7FC00000, 0xFFFFFFFE, 0x40000000};

uint32_t changed(uint32_t word, std::mt19937* dice) {
  switch ((*dice)() % 4) {
    case 0:
      return kNasty[(*dice)() % (sizeof kNasty / sizeof *kNasty)];
    case 1:
      return word + 1;
    case 2:
      return word - 1;
    default:
      return word ^ (1u << ((*dice)() % 32));
  }
}

void every_word(const SmallPlan& plan) {
  for (size_t at = 0; at + 4 <= plan.bytes.size(); at += 4) {
    const uint32_t word = word_of(plan.bytes, at);
    Bytes bytes = plan.bytes;
    for (const uint32_t nasty : kNasty) {
      set_word(&bytes, at, nasty);
      try_plan(bytes, plan.bands);
    }
    for (int bit = 0; bit < 32; ++bit) {
      set_word(&bytes, at, word ^ (1u << bit));
      try_plan(bytes, plan.bands);
    }
  }
}

void every_cut(const SmallPlan& plan) {
  for (size_t size = 0; size < plan.bytes.size(); ++size) {
    Bytes bytes(plan.bytes.begin(), plan.bytes.begin() + static_cast<long>(size));
    expect(try_plan(bytes, plan.bands).code != PL_OK, "a plan that is cut");
    if (size < 24) continue;
    set_word(&bytes, 16, static_cast<uint32_t>(size));  // and says so
    try_plan(bytes, plan.bands);
  }
}

void at_random(const SmallPlan& plan, long count, uint32_t seed) {
  std::mt19937 dice(seed);
  for (long i = 0; i < count; ++i) {
    Bytes bytes = plan.bytes;
    for (unsigned n = 1 + dice() % 4; n > 0; --n) {
      const size_t at = dice() % (bytes.size() / 4) * 4;
      set_word(&bytes, at, changed(word_of(bytes, at), &dice));
    }
    try_plan(bytes, plan.bands);
  }
}

// Dimensions that fit in words and overflow when multiplied.
void test_overflow() {
  PlanMaker m;
  const uint32_t x = m.value({1 << 24, 1 << 24, 1 << 24, 1 << 24, 1 << 24, 1 << 24});
  const uint32_t y = m.value({1});
  m.op(7, y, {x}, {0, 0, 0});
  expect(try_plan(m.finish({x}, {y}), {}).code == PL_VALUE, "2^144 elements");
}

void test_plan(const SmallPlan& plan, long mutations) {
  const long before = ran;
  expect(try_plan(plan.bytes, plan.bands).code == PL_OK, "a valid plan");
  expect(ran == before + 1, "a valid plan that runs");
  every_cut(plan);
  every_word(plan);
  at_random(plan, mutations, 1);
}

}  // namespace
}  // namespace pocketlens::test

int main(int count, char** arguments) {
  using namespace pocketlens::test;
  const long mutations = count > 1 ? atol(arguments[1]) : 50000;
  test_overflow();
  test_plan(network_plan(), mutations);
  test_plan(moving_plan(), mutations);
  printf("plan_test: %ld refused, %ld ran;", refused, ran);
  for (int code = 0; code < 22; ++code) printf(" %d:%ld", code, by_code[code]);
  printf("; %d failures\n", failures);
  return failures != 0;
}
