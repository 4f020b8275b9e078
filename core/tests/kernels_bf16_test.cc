// Kernels that multiply in bfloat16 against the very same arithmetic, plainly: inputs and weights
// rounded here, then the plain loops of float32.
//
//     kernels_bf16_test [PERCENT]
#include <stdio.h>
#include <stdlib.h>

#include "kernels_cases.h"

namespace pocketlens::test {
namespace {

constexpr uint16_t kNotANumber16 = 0x7fc0;

int failures = 0;
long checks = 0;
int percent = 100;

int share_of(int problems) { return problems * percent / 100; }

const KernelTable& scalar_table() { return kernel_table(kernel_table_count() - 1); }

// The upper half of a float, to nearest, ties to even; what is subnormal is zero.
uint16_t to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7f800000) == 0) return (uint16_t)((bits & 0x80000000) >> 16);
  if (isnan(x)) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float rounded(float x) {
  const uint32_t bits = (uint32_t)to_bf16(x) << 16;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

void test_rounding(const KernelTable& table, Random& random) {
  std::vector<float> x = {0.f,         -0.f,        1.f,         1e-40f,           -1e-40f,
                          3.4e38f,     -3.4e38f,    kNotANumber, __builtin_inff(), 1.00390625f,
                          1.01171875f, 1.005859375f};
  while (x.size() < (size_t)share_of(20000) + 7) {
    const uint32_t bits = random.bits();
    float value;
    memcpy(&value, &bits, sizeof value);
    x.push_back(value);
  }
  for (const size_t count : {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{40}, x.size()}) {
    std::vector<uint16_t> got(count + 1, 0x1234);
    table.round_to_bf16(x.data(), got.data(), count);
    bool good = got[count] == 0x1234;
    for (size_t i = 0; i < count; ++i) good = good && got[i] == to_bf16(x[i]);
    ++checks;
    if (!good && ++failures) printf("FAILED %s round_to_bf16 of %zu\n", table.name, count);
  }
}

// The weights of a case as rounded floats, factors of the channels multiplied in before.
WeightsCase rounded_weights(const WeightsCase& from, const ConvCase* conv) {
  const PackedWeights packed(scalar_table(), from);
  Random none(1);
  WeightsCase made(none, Encoding::kFloat, from.outputs, from.depth, from.group_rows);
  std::vector<float> panel((size_t)from.depth * kLanes);
  for (int o = 0; o < from.outputs; ++o) {
    scalar_table().decode(packed.weights, o / kLanes, 0, from.depth, panel.data(), kLanes);
    for (int k = 0; k < from.depth; ++k) {
      float value = panel[(size_t)k * kLanes + (size_t)(o % kLanes)];
      if (conv && conv->shape.scaled) {
        const int taps = conv->shape.kernel_h * conv->shape.kernel_w;
        const int block = k / (taps * kLanes) * kLanes;
        const int lanes = std::min(kLanes, conv->shape.channels - block);
        value *= conv->scale[(size_t)(block + (k - block * taps) % lanes)];
      }
      made.values[(size_t)o * (size_t)from.depth + (size_t)k] = rounded(value);
    }
  }
  return made;
}

// The input of a case laid out and rounded as bf16 kernels read it; nothing may read the rest.
struct RoundedInput {
  std::vector<uint16_t> values;
  Conv2d conv;

  explicit RoundedInput(const ConvCase& from) : conv(from.conv) {
    const ConvShape& s = from.shape;
    const size_t pixels = from.conv.in_row / from.conv.in_pixel;
    const bool tight =
        s.channels * s.stride_w % 2 == 0 && (s.channels % 2 == 0 || s.dilation_w == 1);
    if (s.compact && !tight) ++conv.in_pixel;
    const size_t used = (size_t)s.in_w() * conv.in_pixel;
    conv.in_row = (std::max(pixels * conv.in_pixel, used + (s.compact ? 1 : 0)) + 1) / 2 * 2;
    const size_t blocks = from.conv.in_image / from.conv.in_block;
    conv.in_block = conv.in_row * (size_t)s.in_h();
    conv.in_image = conv.in_block * blocks;
    values.assign(conv.in_image * (size_t)s.images, kNotANumber16);
    for (size_t row = 0; row < (size_t)s.images * blocks * (size_t)s.in_h(); ++row) {
      const size_t block = row / (size_t)s.in_h() % blocks;
      const size_t lanes = std::min((size_t)s.channels - block * kLanes, (size_t)kLanes);
      for (size_t x = 0; x < (size_t)s.in_w(); ++x) {
        uint16_t* to = &values[row * conv.in_row + x * conv.in_pixel];
        const float* at = &from.input[row * from.conv.in_row + x * from.conv.in_pixel];
        for (size_t lane = 0; lane < lanes; ++lane) to[lane] = to_bf16(at[lane]);
        if (lanes < conv.in_pixel && lanes % 2) to[lanes] = 0;
      }
      if (s.compact) values[row * conv.in_row + used] = 0;
    }
    conv.input = reinterpret_cast<const float*>(values.data());
  }
};

std::vector<float> run_conv(const KernelTable& table, Conv2d conv, const Weights& weights,
                            Random* pieces) {
  conv.weights = weights;
  std::vector<float> output(conv.out_image * (size_t)conv.images, 99);
  conv.output = output.data();
  const size_t items = table.conv2d_items(conv), bytes = table.conv2d_scratch_bytes(conv);
  const auto run = [&](size_t b, size_t e, void* s) { table.conv2d_run(conv, b, e, s); };
  if (pieces) {
    run_in_pieces(*pieces, items, bytes, run);
  } else {
    Scratch scratch(bytes);
    run(0, items, scratch.data());
  }
  return output;
}

bool same(float got, float again, float want, double tolerance) {
  ++checks;
  return memcmp(&got, &again, sizeof got) == 0 && fabs((double)got - (double)want) <= tolerance;
}

void test_conv(const KernelTable& table, Random& random, const ConvShape& s) {
  const int rows_of[] = {1, 4, 16, 32, 40, 100000};
  const Activation activations[] = {{0, 0, 0}, {1, 0, 0}, {3, -0.5f, 1}, {7, 0, 0}};
  ConvCase cc(random, s, random.pick(activations));
  const WeightsCase wc(random, random.pick(kEncodings), s.outputs, s.depth(), random.pick(rows_of));
  const PackedWeights packed(table, wc);
  const RoundedInput input(cc);
  const auto got = run_conv(table, input.conv, packed.weights, nullptr);
  const auto again = run_conv(table, input.conv, packed.weights, &random);
  for (float& x : cc.input) x = rounded(x);
  const WeightsCase plain = rounded_weights(wc, &cc);
  cc.conv.input_scale = nullptr;
  const PackedWeights plain_packed(scalar_table(), plain);
  const auto want = run_conv(scalar_table(), cc.conv, plain_packed.weights, nullptr);
  const size_t plane = (size_t)(s.out_h * s.out_w) * kLanes;
  for (size_t i = 0; i < got.size(); ++i) {
    const size_t output = i % cc.conv.out_image / plane * kLanes + i % kLanes;
    if (output >= (size_t)s.outputs) continue;
    if (same(got[i], again[i], want[i], 2e-6 + 1e-7 * s.depth())) continue;
    if (++failures > 40) return;
    printf(
        "FAILED %s bf16 conv2d images %d channels %d outputs %d groups %d kernel %dx%d stride "
        "%dx%d "
        "dilation %dx%d out %dx%d compact %d residual %d scaled %d row_gap %d %s group_rows %d at "
        "%zu: %.9g (in pieces %.9g), not %.9g\n",
        table.name, s.images, s.channels, s.outputs, s.groups, s.kernel_h, s.kernel_w, s.stride_h,
        s.stride_w, s.dilation_h, s.dilation_w, s.out_h, s.out_w, s.compact, s.residual, s.scaled,
        s.row_gap, kEncodingNames[(int)wc.encoding], wc.group_rows, i, (double)got[i],
        (double)again[i], (double)want[i]);
    return;
  }
}

void test_convs(const KernelTable& table, Random& random) {
  for (int repeat = 0; repeat < share_of(1200); ++repeat) {
    test_conv(table, random, random_conv(random));
  }
  const int group_counts[] = {2, 3, 4, 8}, per_group[] = {1, 2, 3, 4, 8, 12, 16, 24, 32, 48};
  for (int repeat = 0; repeat < share_of(300); ++repeat) {
    ConvShape s = random_conv(random);
    s.groups = random.pick(group_counts);
    s.channels = s.groups * random.pick(per_group);
    s.outputs = s.groups * random.pick(per_group);
    s.compact = s.scaled = false;
    test_conv(table, random, s);
  }
  if (percent < 100) return;
  // Large enough for several tiles, several slices of weights, the last not whole.
  test_conv(table, random, {1, 24, 80, 1, 3, 3, 1, 1, 1, 1, 41, 43, false, true, 2});
  test_conv(table, random, {1, 40, 100, 1, 1, 1, 1, 1, 1, 1, 33, 35, false, true, 0, true});
  test_conv(table, random, {3, 203, 50, 1, 7, 7, 1, 1, 1, 1, 5, 6, false, true, 1});
  test_conv(table, random, {1, 520, 72, 1, 3, 3, 1, 1, 1, 1, 4, 5, false, true, 0});
  test_conv(table, random, {1, 3, 64, 1, 7, 7, 2, 2, 1, 1, 56, 56, true, false, 0});
  test_conv(table, random, {1, 3, 64, 1, 3, 3, 1, 1, 1, 1, 30, 31, true, false, 1});
}

void test_linear(const KernelTable& table, Random& random, int batch, int depth, int outputs) {
  const int rows_of[] = {1, 4, 16, 32, 40, 100000};
  const Activation activations[] = {{0, 0, 0}, {1, 0, 0}, {3, -0.5f, 1}, {8, 0, 0}};
  const WeightsCase wc(random, random.pick(kEncodings), outputs, depth, random.pick(rows_of));
  const PackedWeights packed(table, wc);
  std::vector<float> input((size_t)(batch * depth)), bias((size_t)(outputs + 15) / 16 * 16);
  for (auto& x : input) x = random.unit();
  for (int o = 0; o < outputs; ++o) bias[(size_t)o] = random.unit();
  std::vector<float> got((size_t)(batch * outputs), 99), again = got, want = got;
  Linear linear = {batch,      input.data(),   bias.data(),
                   got.data(), packed.weights, random.pick(activations)};
  const size_t items = table.linear_items(linear), bytes = table.linear_scratch_bytes(linear);
  Scratch scratch(bytes);
  table.linear_run(linear, 0, items, scratch.data());
  linear.output = again.data();
  run_in_pieces(random, items, bytes,
                [&](size_t b, size_t e, void* s) { table.linear_run(linear, b, e, s); });
  // A few rows take no scratch: they go straight from the indices, in float32.
  const WeightsCase plain = bytes > 0 ? rounded_weights(wc, nullptr) : wc;
  const PackedWeights plain_packed(scalar_table(), plain);
  for (float& x : input) x = bytes > 0 ? rounded(x) : x;
  linear.output = want.data();
  linear.weights = plain_packed.weights;
  Scratch plain_scratch(scalar_table().linear_scratch_bytes(linear));
  scalar_table().linear_run(linear, 0, scalar_table().linear_items(linear), plain_scratch.data());
  for (size_t i = 0; i < got.size(); ++i) {
    if (same(got[i], again[i], want[i], 2e-6 + 1e-7 * depth)) continue;
    if (++failures > 40) return;
    printf("FAILED %s bf16 linear batch %d depth %d outputs %d %s at %zu: %.9g, not %.9g\n",
           table.name, batch, depth, outputs, kEncodingNames[(int)wc.encoding], i, (double)got[i],
           (double)want[i]);
    return;
  }
}

void test_linears(const KernelTable& table, Random& random) {
  const int sizes[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 48, 64, 100, 130};
  for (int repeat = 0; repeat < share_of(300); ++repeat) {
    const int batch = random.below(3) ? 10 + random.below(40) : 1;
    test_linear(table, random, batch, random.pick(sizes), random.pick(sizes));
  }
  if (percent < 100) return;
  for (const int batch : {1, 24, 25, 197, 300}) test_linear(table, random, batch, 1101, 90);
}

}  // namespace
}  // namespace pocketlens::test

int main(int count, char** arguments) {
  using namespace pocketlens;
  if (count > 1) test::percent = atoi(arguments[1]);
  const size_t tables = kernel_table_count(Precision::kBf16);
  if (tables == 0) printf("no target of this build and machine multiplies in bfloat16: skipped\n");
  for (size_t i = 0; i < tables; ++i) {
    const KernelTable& table = kernel_table(i, Precision::kBf16);
    test::Random random(11);
    test::test_rounding(table, random);
    test::test_convs(table, random);
    test::test_linears(table, random);
    printf("%s bf16: %ld values compared\n", table.name, test::checks);
  }
  if (test::failures) printf("%d failures\n", test::failures);
  return test::failures ? 1 : 0;
}
