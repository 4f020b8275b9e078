// A hostile plan is refused or runs; it never crashes, hangs or reads beyond its bytes. Small valid
// plans are cut at every byte, every word is replaced, and words are replaced at random, several at
// a time. Worth most when built with POCKETLENS_SANITIZE.
//
//   plan_test [random mutations a plan, 50000 if not given]
#include <pocketlens/core.h>
#include <stdio.h>
#include <stdlib.h>

#include <functional>
#include <memory>
#include <random>

#include "sanitizers.h"
#include "small_plans.h"

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
  const pl_status status = pl_open(copy.get(), bytes.size(), "scalar", PL_FP32, 1, &lens);
  expect((status.code == PL_OK) == (lens != nullptr), "success without a lens");
  if (status.code >= 0 && status.code < 32) ++by_code[status.code];
  if (status.code != PL_OK) {
    ++refused;
    return status;
  }
  for (const BandBytes& band : bands) {
    const std::unique_ptr<uint8_t[]> rows(new uint8_t[band.rows.size()]);
    memcpy(rows.get(), band.rows.data(), band.rows.size());
    pl_feed(lens, band.plane, band.band, rows.get(), band.rows.size());
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

// Bands with bytes that are wrong, in any order, some twice: refused or taken, never more than
// that; with the right ones fed afterwards the lens runs or was told too much already.
void bands_at_random(const SmallPlan& plan, long count, uint32_t seed) {
  std::mt19937 dice(seed);
  for (long i = 0; i < count; ++i) {
    pl_lens* lens = nullptr;
    const pl_status status =
        pl_open(plan.bytes.data(), plan.bytes.size(), "scalar", PL_FP32, 1, &lens);
    expect(status.code == PL_OK, "a valid plan");
    for (unsigned n = dice() % 20; n > 0; --n) {
      const BandBytes& band = plan.bands[dice() % plan.bands.size()];
      const size_t size = band.rows.size() - (dice() % 16 == 0 ? 1 : 0);
      const std::unique_ptr<uint8_t[]> rows(new uint8_t[size]);
      memcpy(rows.get(), band.rows.data(), size);
      for (unsigned m = dice() % 3; m > 0; --m) {
        rows[dice() % size] ^= static_cast<uint8_t>(1u << dice() % 8);
      }
      ++by_code[pl_feed(lens, band.plane, band.band + (dice() % 16 == 0), rows.get(), size).code];
    }
    for (const BandBytes& band : plan.bands) {
      Bytes rows = band.rows;
      const int code = pl_feed(lens, band.plane, band.band, rows.data(), rows.size()).code;
      expect(code == PL_OK || code == PL_BAND_TWICE || code >= PL_BAND_INDEX, "the right band");
    }
    run_small(lens);
    pl_close(lens);
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

// A linear whose 4 x 6 weights stand where `place` says, another one of 2 x 4 after them.
pl_status try_places(const std::function<void(PlanMaker*)>& planes, const PlanMaker::Place& first,
                     const PlanMaker::Place& second, uint32_t k = 4, uint32_t rows = 4) {
  PlanMaker m;
  const uint32_t x = m.value({1, 6}), y = m.value({1, 4}), z = m.value({1, 2});
  planes(&m);
  const uint32_t w = m.indexed_tensor({4, 6}, k, rows, first, halves(k * ((3 + rows) / rows)));
  const uint32_t v = m.indexed_tensor({2, 4}, 4, 2, second, halves(4));
  m.op(2, y, {x, tensor(w)}, {0, 0, 0});
  m.op(2, z, {y, tensor(v)}, {0, 0, 0});
  return try_plan(m.finish({x}, {z}), m.bands());
}

// How tensors share planes and masks leave pixels, and every way in which they may not.
void test_plane_uses() {
  const auto pixels = [](uint32_t count) { return std::vector<uint32_t>(count, 1); };
  const auto one = [&](uint32_t count, uint32_t width = 8) {
    return [=](PlanMaker* m) { m->plane(2, width, 1, pixels(count)); };
  };
  const auto both = [&](uint32_t bits, uint32_t mask_bits, uint32_t mask_count, uint32_t rest) {
    return [=](PlanMaker* m) {
      m->plane(mask_bits, 5, 2, pixels(mask_count));
      m->plane(bits, 4, 1, pixels(rest));
      m->plane(2, 8, 1, pixels(8));
    };
  };
  const auto is = [](const pl_status& status, int code, int tensor, const char* what) {
    expect(status.code == code && (tensor < 0 || status.tensor == tensor), what);
  };
  const uint32_t no = kNone;
  is(try_places(one(32), {0, 0, no, 0}, {0, 24, no, 0}), PL_OK, -1, "one after the other");
  is(try_places(one(32), {0, 8, no, 0}, {0, 0, no, 0}), PL_OK, -1, "in any order");
  is(try_places(one(32), {0, 0, no, 0}, {0, 23, no, 0}), PL_TENSOR, 1, "an overlap");
  is(try_places(one(33), {0, 0, no, 0}, {0, 25, no, 0}), PL_TENSOR, 1, "a gap");
  is(try_places(one(32), {0, 0, no, 0}, {0, 0, no, 0}), PL_TENSOR, 1, "the same pixels");
  is(try_places(one(33), {0, 1, no, 0}, {0, 25, no, 0}), PL_TENSOR, 0, "nobody's first pixel");
  is(try_places(one(32), {0, 0, no, 0}, {0, 0xFFFFFFFF, no, 0}), PL_TENSOR, 1, "far away");
  is(try_places(one(24), {0, 0, no, 0}, {0, 24, no, 0}), PL_TENSOR, 0, "beyond the end");
  is(try_places(one(41), {0, 0, no, 0}, {0, 24, no, 0}), PL_TENSOR, 0, "a row too many");
  is(try_places(one(32, 33), {0, 0, no, 0}, {0, 24, no, 0}), PL_TENSOR, 0, "wider than its pixels");
  is(try_places(one(32), {0, 0, no, 0}, {1, 24, no, 0}), PL_TENSOR, 1, "no such plane");
  is(try_places(one(32), {0, 0, no, 0}, {0, 24, no, 1}), PL_PALETTE, 1, "common without a mask");
  is(try_places(one(32), {0, 0, no, 0}, {0, 24, no, 0}, 5), PL_PALETTE, 0, "k above 2^bits");
  const auto masks = both(2, 1, 24, 24);
  is(try_places(masks, {1, 0, 0, 3}, {2, 0, no, 0}), PL_OK, -1, "a mask");
  is(try_places(masks, {1, 0, 0, 4}, {2, 0, no, 0}, 5), PL_OK, -1, "2^bits + 1 levels");
  is(try_places(masks, {1, 0, 0, 4}, {2, 0, no, 0}), PL_PALETTE, 0, "common beyond the palette");
  is(try_places(masks, {1, 0, 0, 0}, {2, 0, no, 0}, 6), PL_PALETTE, 0, "k above 2^bits + 1");
  is(try_places(masks, {1, 0, 0, 0}, {2, 0, no, 0}, 1), PL_PALETTE, 0, "a mask of one level");
  is(try_places(masks, {1, 1, 0, 0}, {2, 0, no, 0}), PL_TENSOR, 0, "a masked run within a plane");
  is(try_places(masks, {0, 0, 0, 0}, {2, 0, no, 0}), PL_TENSOR, 0, "its own mask");
  is(try_places(masks, {1, 0, 7, 0}, {2, 0, no, 0}), PL_TENSOR, 0, "no such mask");
  is(try_places(masks, {1, 0, 0, 0}, {0, 0, no, 0}), PL_TENSOR, 0, "a mask that is a plane");
  is(try_places(masks, {1, 0, 0, 0}, {1, 0, 2, 0}), PL_TENSOR, 0, "two share what a mask leaves");
  is(try_places(both(2, 2, 24, 24), {1, 0, 0, 0}, {2, 0, no, 0}), PL_TENSOR, 0, "a mask of 2 bits");
  is(try_places(both(2, 1, 26, 24), {1, 0, 0, 0}, {2, 0, no, 0}), PL_TENSOR, 0, "a mask too long");
  is(try_places(both(2, 1, 24, 25), {1, 0, 0, 0}, {2, 0, no, 0}), PL_TENSOR, 0, "pixels too many");
  is(try_places(masks, {1, 0, no, 0}, {2, 0, no, 0}), PL_PLANE, -1, "a plane that nobody reads");
}

// Palettes along a trellis: two values for each number, one palette for all outputs.
void test_trellis() {
  const auto plane = [](uint32_t bits) {
    return [=](PlanMaker* m) {
      m->plane(bits, 8, 1, std::vector<uint32_t>(24, 1));
      m->plane(2, 8, 1, std::vector<uint32_t>(8, 1));
    };
  };
  const auto masked = [](PlanMaker* m) {
    m->plane(1, 8, 1, std::vector<uint32_t>(24, 1));
    m->plane(2, 8, 1, std::vector<uint32_t>(8, 1));
    m->plane(1, 8, 1, std::vector<uint32_t>(24, 1));
  };
  const PlanMaker::Place along = {0, 0, kNone, 0, true}, other = {1, 0, kNone, 0};
  const auto judge = [&](uint32_t bits, uint32_t k, uint32_t rows, int code, const char* what) {
    const pl_status status = try_places(plane(bits), along, other, k, rows);
    expect(status.code == code && (code == PL_OK || status.tensor == 0), what);
  };
  judge(1, 4, 4, PL_OK, "2 numbers");
  judge(2, 8, 4, PL_OK, "4 numbers");
  judge(8, 256, 4, PL_OK, "128 numbers");
  judge(1, 6, 4, PL_PALETTE, "3 numbers in a bit");
  judge(4, 2, 4, PL_PALETTE, "one number");
  judge(4, 7, 4, PL_PALETTE, "half a number");
  judge(4, 8, 2, PL_PALETTE, "two palettes");
  judge(8, 258, 4, PL_PALETTE, "more values than a byte tells");
  const auto behind = [&](uint32_t common, uint32_t k) {
    return try_places(masked, {2, 0, 0, common, true}, other, k).code;
  };
  expect(behind(2, 6) == PL_OK, "a mask and 2 other numbers");
  expect(behind(3, 6) == PL_PALETTE, "common beyond the numbers");
  expect(behind(0, 8) == PL_PALETTE, "a mask and 3 other numbers in a bit");
}

void test_plan(const SmallPlan& plan, long mutations) {
  const long before = ran;
  expect(try_plan(plan.bytes, plan.bands).code == PL_OK, "a valid plan");
  expect(ran == before + 1, "a valid plan that runs");
  every_cut(plan);
  every_word(plan);
  at_random(plan, mutations, 1);
  if (!plan.bands.empty()) bands_at_random(plan, mutations / 5, 2);
}

}  // namespace
}  // namespace pocketlens::test

int main(int count, char** arguments) {
  using namespace pocketlens::test;
  const long mutations = count > 1 ? atol(arguments[1]) : 50000;
  test_overflow();
  test_plane_uses();
  test_trellis();
  test_plan(network_plan(), mutations);
  test_plan(network_plan(shared_planes), mutations);
  test_plan(moving_plan(), mutations);
  printf("plan_test: %ld refused, %ld ran;", refused, ran);
  for (int code = 0; code < 25; ++code) printf(" %d:%ld", code, by_code[code]);
  printf("; %d failures\n", failures);
  return failures != 0;
}
