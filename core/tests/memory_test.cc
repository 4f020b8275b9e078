// Every allocation fails once: opening, or taking a band, then says that there is no memory;
// nothing crashes or is lost, and a lens that missed a part of a band never says that it is ready.
//
// Linked with --wrap, so that what the core asks for goes through the functions below.
#include <pocketlens/core.h>
#include <stdio.h>
#include <stdlib.h>

#include <new>

#include "random_plans.h"
#include "small_plans.h"

namespace {

long until_failure = -1;  // allocations that still succeed; -1: all
long allocations = 0;

bool fails() {
  ++allocations;
  return until_failure >= 0 && until_failure-- == 0;
}

}  // namespace

extern "C" {
void* __real_calloc(size_t count, size_t size);
void* __real__ZnwmRKSt9nothrow_t(size_t size, const std::nothrow_t& tag);
void* __wrap_calloc(size_t count, size_t size) {
  return fails() ? nullptr : __real_calloc(count, size);
}
void* __wrap__ZnwmRKSt9nothrow_t(size_t size, const std::nothrow_t& tag) {
  return fails() ? nullptr : __real__ZnwmRKSt9nothrow_t(size, tag);
}
}

namespace pocketlens::test {
namespace {

int failures = 0;
long refused = 0;

void expect(bool holds, const char* what, long allocation) {
  if (!holds && ++failures < 20) printf("FAILED %s (allocation %ld)\n", what, allocation);
}

int feed_one(pl_lens* lens, const BandBytes& band) {
  Bytes rows = band.rows;
  return pl_feed(lens, band.plane, band.band, rows.data(), rows.size()).code;
}

// Opens and feeds with allocation `failing` failing; whether memory was missed.
bool try_without(const SmallPlan& plan, long failing) {
  until_failure = failing;
  pl_lens* lens = nullptr;
  const int opened =
      pl_open(plan.bytes.data(), plan.bytes.size(), "scalar", PL_FP32, 1, &lens).code;
  expect((opened == PL_OK) == (lens != nullptr), "success without a lens", failing);
  if (opened != PL_OK) {
    expect(opened == PL_NO_MEMORY, "another code than that of no memory", failing);
    return true;
  }
  bool missed = false;
  for (const BandBytes& band : plan.bands) {
    const int code = feed_one(lens, band);
    expect(code == (missed || code != PL_OK ? PL_NO_MEMORY : PL_OK), "a band after that", failing);
    missed = missed || code != PL_OK;
  }
  until_failure = -1;
  for (const BandBytes& band : plan.bands) {
    expect(feed_one(lens, band) == (missed ? PL_NO_MEMORY : PL_BAND_TWICE), "again", failing);
  }
  expect((pl_is_ready(lens) != 0) != missed, "ready, or not", failing);
  pl_close(lens);
  return missed;
}

void test_plan(const SmallPlan& plan) {
  allocations = 0;
  expect(!try_without(plan, -1), "no memory although there is", -1);
  const long needed = allocations;
  expect(needed > 10, "allocations that go through this file", needed);
  for (long failing = 0; failing < needed; ++failing) {
    expect(try_without(plan, failing), "an allocation that nobody missed", failing);
    ++refused;
  }
}

}  // namespace
}  // namespace pocketlens::test

int main() {
  using namespace pocketlens::test;
  test_plan(network_plan());
  test_plan(network_plan(shared_planes));
  test_plan(moving_plan());
  for (uint32_t seed = 0; seed < 60; ++seed) test_plan(RandomPlan(seed).draw());
  printf("memory_test: %ld allocations failed; %d failures\n", refused, failures);
  return failures != 0;
}
