// What a lens promises while it is fed and run: bands in any order and with any PNG filter, each
// once; the same result for any number of threads; every target near the plain loops.
#include <math.h>
#include <pocketlens/core.h>
#include <stdio.h>

#include <algorithm>
#include <string>

#include "small_plans.h"

namespace pocketlens::test {
namespace {

int failures = 0;

void expect(bool holds, const std::string& what) {
  if (!holds && ++failures < 20) printf("FAILED %s\n", what.c_str());
}

pl_lens* open_lens(const SmallPlan& plan, const char* target, uint32_t threads) {
  pl_lens* lens = nullptr;
  const pl_status status =
      pl_open(plan.bytes.data(), plan.bytes.size(), target, PL_FP32, threads, &lens);
  expect(status.code == PL_OK, "open");
  return lens;
}

int feed(pl_lens* lens, const BandBytes& band) {
  Bytes rows = band.rows;
  return pl_feed(lens, band.plane, band.band, rows.data(), rows.size()).code;
}

void feed_all(pl_lens* lens, const std::vector<BandBytes>& bands) {
  for (const BandBytes& band : bands) expect(feed(lens, band) == PL_OK, "feed");
  expect(pl_is_ready(lens) == 1, "ready after the last band");
}

std::vector<float> picture(size_t count) {
  std::vector<float> pixels(count);
  for (size_t i = 0; i < count; ++i) pixels[i] = sinf(static_cast<float>(i)) + 0.25f;
  return pixels;
}

// All outputs, one after the other.
std::vector<float> run(pl_lens* lens, uint32_t batch) {
  const std::vector<float> input = picture(pl_input_floats(lens, 0) * batch);
  std::vector<std::vector<float>> outputs;
  for (size_t i = 0; pl_output_floats(lens, i) != 0; ++i) {
    outputs.emplace_back(pl_output_floats(lens, i) * batch);
  }
  std::vector<float*> to;
  for (auto& output : outputs) to.push_back(output.data());
  const float* from[] = {input.data()};
  expect(pl_run(lens, batch, from, to.data()).code == PL_OK, "run");
  std::vector<float> all;
  for (const auto& output : outputs) all.insert(all.end(), output.begin(), output.end());
  return all;
}

std::vector<float> answer(const SmallPlan& plan, const char* target, uint32_t threads,
                          const std::vector<BandBytes>& bands, uint32_t batch = 2) {
  pl_lens* lens = open_lens(plan, target, threads);
  feed_all(lens, bands);
  const std::vector<float> first = run(lens, batch);
  expect(first == run(lens, batch), "the second run gives the same");
  pl_close(lens);
  return first;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0, largest = 1e-30;
  for (size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    largest = std::max(largest, fabs(static_cast<double>(b[i])));
  }
  return worst / largest;
}

void test_targets_and_threads(const SmallPlan& plan) {
  const std::vector<float> plain = answer(plan, "scalar", 1, plan.bands);
  for (size_t t = 0; t < pl_target_count(PL_FP32); ++t) {
    const char* target = pl_target_name(PL_FP32, t);
    const std::vector<float> one = answer(plan, target, 1, plan.bands);
    expect(distance(one, plain) < 1e-5, std::string("near the plain loops: ") + target);
    for (const uint32_t threads : {2u, 3u}) {
      expect(answer(plan, target, threads, plan.bands) == one,
             std::string("equal for any number of threads: ") + target);
    }
  }
}

void test_batch_is_image_by_image(const SmallPlan& plan) {
  pl_lens* lens = open_lens(plan, nullptr, 1);
  feed_all(lens, plan.bands);
  const std::vector<float> three = run(lens, 3);
  const size_t floats = pl_input_floats(lens, 0), scores = pl_output_floats(lens, 0);
  const std::vector<float> input = picture(3 * floats);
  for (size_t i = 0; i < 3; ++i) {
    std::vector<float> one(scores);
    const float* from[] = {input.data() + i * floats};
    float* to[] = {one.data()};
    expect(pl_run(lens, 1, from, to).code == PL_OK, "run");
    const auto begin = three.begin() + static_cast<long>(i * scores);
    // Sums of several images may be taken in another order.
    expect(distance({begin, begin + static_cast<long>(scores)}, one) < 1e-6,
           "an image in a batch is as alone");
  }
  pl_close(lens);
}

// Rows of a linear are shared out over items by their number: three images may need more scratch
// than the sixteen that are run at once.
void test_rows_of_a_batch() {
  PlanMaker m;
  const uint32_t x = m.value({50, 8}), y = m.value({50, 40}), z = m.value({50, 3});
  const uint32_t w = m.palette_tensor({40, 8}, 4, 16, 40, 8, 4, halves(16));
  const uint32_t v = m.palette_tensor({3, 40}, 4, 16, 3, 40, 3, halves(16));
  m.op(2, y, {x, tensor(w)}, {1, 0, 0});
  m.op(2, z, {y, tensor(v)}, {0, 0, 0});
  const SmallPlan plan{m.finish({x}, {z}), m.bands()};
  for (size_t t = 0; t < pl_target_count(PL_FP32); ++t) {
    for (uint32_t batch = 2; batch < 20; ++batch) {
      const std::vector<float> all = answer(plan, pl_target_name(PL_FP32, t), 1, plan.bands, batch);
      expect(distance(all, answer(plan, "scalar", 1, plan.bands, batch)) < 1e-5,
             "rows of " + std::to_string(batch) + " images: " + pl_target_name(PL_FP32, t));
    }
  }
}

uint8_t paeth(int a, int b, int c) {
  const int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
  return static_cast<uint8_t>(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

// The band with filter (row + first) % 5 in every row.
BandBytes filtered(const BandBytes& band, size_t stride, size_t first) {
  BandBytes result = band;
  for (size_t r = 0; r * stride < band.rows.size(); ++r) {
    const uint8_t* row = band.rows.data() + r * stride + 1;
    const uint8_t filter = static_cast<uint8_t>((r + first) % 5);
    result.rows[r * stride] = filter;
    for (size_t i = 0; i + 1 < stride; ++i) {
      const int left = i > 0 ? row[i - 1] : 0, up = r > 0 ? row[i - stride] : 0;
      const int corner = i > 0 && r > 0 ? row[i - 1 - stride] : 0;
      const int predicted[] = {0, left, up, (left + up) / 2, paeth(left, up, corner)};
      result.rows[r * stride + 1 + i] = static_cast<uint8_t>(row[i] - predicted[filter]);
    }
  }
  return result;
}

// Bytes of a scanline of each plane.
using Strides = std::vector<size_t>;
const Strides kOwnStrides = {1 + 14, 1 + 3, 1 + 50, 1 + 5},
              kSharedStrides = {1 + 6, 1 + 31, 1 + 51},
              kTrellisStrides = {1 + 6, 1 + 31, 1 + 12, 1 + 5};

std::vector<BandBytes> all_filtered(const SmallPlan& plan, const Strides& strides, size_t first) {
  std::vector<BandBytes> bands;
  for (const BandBytes& band : plan.bands) {
    bands.push_back(filtered(band, strides[band.plane], first));
  }
  return bands;
}

void test_feeding(const SmallPlan& plan, const Strides& strides) {
  const std::vector<float> expected = answer(plan, nullptr, 1, plan.bands);
  for (size_t first = 0; first < 5; ++first) {
    const auto bands = all_filtered(plan, strides, first);
    expect(answer(plan, nullptr, 1, bands) == expected, "PNG filters");
  }
  // From bottom to top; planes keep their order, for a mask comes before what it leaves.
  std::vector<BandBytes> bands = plan.bands;
  std::stable_sort(bands.begin(), bands.end(), [](const BandBytes& a, const BandBytes& b) {
    return a.plane != b.plane ? a.plane < b.plane : a.band > b.band;
  });
  expect(answer(plan, nullptr, 1, bands) == expected, "bands from bottom to top");
}

// Planes of their own, or shared and masked: the same indices, the same answer.
void test_shared_planes() {
  const SmallPlan own = network_plan(own_planes), shared = network_plan(shared_planes);
  for (size_t t = 0; t < pl_target_count(PL_FP32); ++t) {
    const char* target = pl_target_name(PL_FP32, t);
    expect(answer(own, target, 1, own.bands) == answer(shared, target, 1, shared.bands),
           std::string("shared and masked planes: ") + target);
  }
}

// Bands of shared_planes(): the mask is plane 0, what it leaves plane 1, three tensors share 2.
std::vector<BandBytes> of_plane(const SmallPlan& plan, uint32_t number) {
  std::vector<BandBytes> bands;
  for (const BandBytes& band : plan.bands) {
    if (band.plane == number) bands.push_back(band);
  }
  return bands;
}

// Numbers along a trellis, or the places that they stand for: the same weights, the same answer.
void test_trellis() {
  const SmallPlan told = network_plan(followed_planes), along = network_plan(trellis_planes);
  for (size_t t = 0; t < pl_target_count(PL_FP32); ++t) {
    const char* target = pl_target_name(PL_FP32, t);
    expect(answer(told, target, 1, told.bands) == answer(along, target, 1, along.bands),
           std::string("along a trellis: ") + target);
  }
  expect(answer(told, nullptr, 1, told.bands) !=
             answer(network_plan(), nullptr, 1, network_plan().bands),
         "other weights, another answer");
  pl_lens* lens = open_lens(along, nullptr, 1);
  BandBytes wrong = of_plane(along, 2)[0];
  wrong.rows[1] = 0x40;  // of the depthwise weights, which have 8 values: 4 numbers
  expect(feed(lens, wrong) == PL_BAND_INDEX, "number 4 of 4");
  pl_close(lens);
}

void test_refused_masks() {
  const SmallPlan plan = network_plan(shared_planes);
  pl_lens* lens = open_lens(plan, nullptr, 1);
  const auto mask = of_plane(plan, 0), rest = of_plane(plan, 1), shared = of_plane(plan, 2);
  expect(feed(lens, rest[0]) == PL_MASK_FIRST, "no mask yet");
  for (size_t i = 0; i + 1 < mask.size(); ++i) expect(feed(lens, mask[i]) == PL_OK, "mask");
  expect(feed(lens, rest[0]) == PL_MASK_FIRST, "a part of the mask");
  BandBytes wrong = mask.back();
  wrong.rows.assign(wrong.rows.size(), 0);  // leaves fewer pixels than there are rows
  expect(feed(lens, wrong) == PL_MASK_COUNT, "a mask with too few ones");
  expect(feed(lens, rest[0]) == PL_MASK_FIRST, "the mask was forgotten");
  for (const BandBytes& band : mask) expect(feed(lens, band) == PL_OK, "the mask again");
  expect(feed(lens, mask[0]) == PL_BAND_TWICE, "a mask twice");
  wrong = rest[0];
  wrong.rows[1] = 19;
  expect(feed(lens, wrong) == PL_BAND_INDEX, "pixel 19 of a palette of 20 and a mask");
  wrong = rest.back();
  wrong.rows.back() = 1;
  expect(feed(lens, wrong) == PL_BAND_INDEX, "a pixel after the last one");
  wrong = shared[0];
  wrong.rows[1] = 0x02;  // of the head, whose palette has 2 values; the stem has 11
  expect(feed(lens, wrong) == PL_BAND_INDEX, "index 2 of 2");
  for (const BandBytes& band : rest) expect(feed(lens, band) == PL_OK, "rest");
  for (const BandBytes& band : shared) expect(feed(lens, band) == PL_OK, "shared");
  expect(run(lens, 2) == answer(plan, nullptr, 1, plan.bands), "what was refused left nothing");
  pl_close(lens);
}

void test_refused_bands(const SmallPlan& plan) {
  pl_lens* lens = open_lens(plan, nullptr, 1);
  const BandBytes band = plan.bands[0];
  std::vector<float> input(pl_input_floats(lens, 0)), output(pl_output_floats(lens, 0));
  const float* from[] = {input.data()};
  float* to[] = {output.data()};
  expect(pl_run(lens, 1, from, to).code == PL_NOT_READY, "a run without weights");
  expect(pl_is_ready(lens) == 0, "not ready");
  BandBytes wrong = band;
  wrong.band = 1000;
  expect(feed(lens, wrong) == PL_BAND_NUMBER, "no such band");
  wrong.band = 0;
  wrong.plane = 99;
  expect(feed(lens, wrong) == PL_BAND_NUMBER, "no such plane");
  wrong = band;
  wrong.rows.pop_back();
  expect(feed(lens, wrong) == PL_BAND_SIZE, "a byte is missing");
  wrong = band;
  wrong.rows[0] = 5;
  expect(feed(lens, wrong) == PL_BAND_FILTER, "filter 5");
  wrong = band;
  wrong.rows[1] = 0xF0;
  expect(feed(lens, wrong) == PL_BAND_INDEX, "index 15 of 11");
  feed_all(lens, plan.bands);  // what was refused has left nothing behind
  expect(feed(lens, band) == PL_BAND_TWICE, "a band twice");
  pl_close(lens);
}

void test_arguments(const SmallPlan& plan) {
  pl_lens* lens = nullptr;
  const auto open = [&](const char* target, uint32_t threads) {
    return pl_open(plan.bytes.data(), plan.bytes.size(), target, PL_FP32, threads, &lens).code;
  };
  expect(open("sse9", 1) == PL_NO_TARGET, "a target that there is not");
  expect(open(nullptr, 0) == PL_BAD_ARGUMENT, "no threads");
  expect(open(nullptr, 100000) == PL_BAD_ARGUMENT, "too many threads");
  expect(lens == nullptr, "no lens on failure");
  expect(pl_open(nullptr, 0, nullptr, PL_FP32, 1, &lens).code == PL_BAD_ARGUMENT, "no plan");
  pl_status status = pl_open(plan.bytes.data(), plan.bytes.size(), "scalar", PL_BF16, 1, &lens);
  expect(status.code == PL_NO_PRECISION && lens == nullptr, "scalar is fp32 alone");
  status = pl_open(plan.bytes.data(), plan.bytes.size(), "abacus", PL_BF16, 1, &lens);
  expect(status.code == PL_NO_TARGET, "no such target in any precision");
  if (pl_target_count(PL_BF16) > 0) {
    status = pl_open(plan.bytes.data(), plan.bytes.size(), nullptr, PL_BF16, 1, &lens);
    expect(status.code == PL_OK && pl_precision_of(lens) == PL_BF16, "bf16 is what was asked for");
    pl_close(lens);
  }
  expect(std::string(pl_target_name(PL_FP32, pl_target_count(PL_FP32) - 1)) == "scalar",
         "scalar is last");
  expect(pl_target_name(PL_FP32, pl_target_count(PL_FP32)) == nullptr, "no more targets");
}

int open_beside(const pl_lens* other, const SmallPlan& plan, pl_lens** lens) {
  return pl_open_beside(other, plan.bytes.data(), plan.bytes.size(), 1, lens).code;
}

// Weights are shared by lenses, whichever is closed first.
void test_beside(const SmallPlan& plan, const SmallPlan& others) {
  pl_lens *first = open_lens(plan, nullptr, 1), *second = nullptr, *third = nullptr;
  expect(open_beside(first, plan, &second) == PL_NOT_READY, "beside one that is not fed");
  expect(second == nullptr, "no lens where it is refused");
  feed_all(first, plan.bands);
  const std::vector<float> own = run(first, 2);
  expect(open_beside(first, others, &second) == PL_TENSOR, "other tensors");
  expect(open_beside(nullptr, plan, &second) == PL_BAD_ARGUMENT, "beside none");
  expect(pl_open_beside(first, plan.bytes.data(), plan.bytes.size(), 0, &second).code ==
             PL_BAD_ARGUMENT,
         "beside without threads");
  expect(open_beside(first, plan, &second) == PL_OK, "beside");
  expect(pl_is_ready(second) == 1, "what is beside needs no feeding");
  expect(feed(second, plan.bands[0]) == PL_BAND_TWICE, "nor takes it");
  expect(pl_shared_of(second) == pl_shared_of(first), "the same weights");
  expect(run(second, 2) == own, "beside, the same answers");
  pl_close(first);
  expect(run(second, 2) == own, "the first one is closed");
  expect(open_beside(second, plan, &third) == PL_OK, "beside the second");
  pl_close(second);
  expect(run(third, 2) == own, "the second one is closed");
  pl_close(third);
}

}  // namespace
}  // namespace pocketlens::test

int main() {
  using namespace pocketlens::test;
  for (const SmallPlan& plan : {network_plan(), moving_plan()}) {
    test_targets_and_threads(plan);
  }
  test_batch_is_image_by_image(network_plan());
  test_rows_of_a_batch();
  test_feeding(network_plan(), kOwnStrides);
  test_feeding(network_plan(shared_planes), kSharedStrides);
  test_feeding(network_plan(trellis_planes), kTrellisStrides);
  test_shared_planes();
  test_trellis();
  test_refused_masks();
  test_refused_bands(network_plan());
  test_arguments(network_plan());
  test_beside(network_plan(), network_plan(trellis_planes));
  printf("run_test: %d failures\n", failures);
  return failures != 0;
}
