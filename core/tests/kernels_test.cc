// Every instruction set against the plain loops, over odd shapes; and the plain loops themselves
// against sums taken here from the unpacked weights.
//
//     kernels_test [PERCENT]
//
// PERCENT of the random problems, where an emulator takes its time; below 100 no large one.
#include <stdio.h>
#include <stdlib.h>

#include "kernels_cases.h"

namespace pocketlens::test {
namespace {

int failures = 0;
long checks = 0;
int percent = 100;

int share_of(int problems) { return problems * percent / 100; }

const KernelTable& scalar_table() { return kernel_table(kernel_table_count() - 1); }

template <class... Arguments>
void fail(const char* format, Arguments... arguments) {
  if (++failures <= 40) {
    printf("FAILED ");
    printf(format, arguments...);
    printf("\n");
  }
}

bool close(float got, float want, double tolerance) {
  ++checks;
  return got == want || fabs((double)got - (double)want) <= tolerance;
}

// ---- decode

void test_decode(const KernelTable& table, Random& random) {
  const int outputs_of[] = {1, 7, 16, 17, 40, 64}, depths[] = {1, 3, 8, 9, 31, 32, 33, 70};
  const int rows_of[] = {1, 4, 16, 32, 40, 1000};
  for (const Encoding encoding : kEncodings) {
    for (int repeat = 0; repeat < share_of(40); ++repeat) {
      const WeightsCase wc(random, encoding, random.pick(outputs_of), random.pick(depths),
                           random.pick(rows_of));
      const PackedWeights packed(table, wc), plain(scalar_table(), wc);
      const int panel = random.below((wc.outputs + kLanes - 1) / kLanes);
      const int begin = random.below(wc.depth), count = 1 + random.below(wc.depth - begin);
      const size_t stride = 16 * (size_t)(1 + random.below(4));
      std::vector<float> got(stride * (size_t)count, 99), want = got;
      table.decode(packed.weights, panel, begin, begin + count, got.data(), stride);
      scalar_table().decode(plain.weights, panel, begin, begin + count, want.data(), stride);
      for (size_t i = 0; i < got.size(); ++i) {
        if (panel * kLanes + (int)(i % stride) >= wc.outputs && i % stride < kLanes) continue;
        if (close(got[i], want[i], 0)) continue;
        fail(
            "%s decode %s outputs %d depth %d group_rows %d panel %d k %d..%d stride %zu at %zu: "
            "%g, not %g",
            table.name, kEncodingNames[(int)encoding], wc.outputs, wc.depth, wc.group_rows, panel,
            begin, begin + count, stride, i, (double)got[i], (double)want[i]);
        return;
      }
    }
  }
}

// ---- conv2d and depthwise

struct Kernel {
  const char* name;
  decltype(KernelTable::conv2d_items) items;
  decltype(KernelTable::conv2d_scratch_bytes) scratch_bytes;
  decltype(KernelTable::conv2d_run) run;
};

Kernel conv_kernel(const KernelTable& t, bool depthwise) {
  if (depthwise) {
    return {"depthwise", t.depthwise_items, t.depthwise_scratch_bytes, t.depthwise_run};
  }
  return {"conv2d", t.conv2d_items, t.conv2d_scratch_bytes, t.conv2d_run};
}

std::vector<float> run_conv(const Kernel& kernel, const ConvCase& cc, const Weights& weights,
                            Random* pieces) {
  Conv2d conv = cc.conv;
  conv.weights = weights;
  std::vector<float> output(conv.out_image * (size_t)conv.images, 99);
  conv.output = output.data();
  const size_t items = kernel.items(conv), bytes = kernel.scratch_bytes(conv);
  if (pieces) {
    run_in_pieces(*pieces, items, bytes,
                  [&](size_t b, size_t e, void* s) { kernel.run(conv, b, e, s); });
  } else {
    Scratch scratch(bytes);
    kernel.run(conv, 0, items, scratch.data());
  }
  return output;
}

void fail_conv(const KernelTable& table, const Kernel& kernel, const ConvShape& s,
               const WeightsCase& wc, const Activation& a, const char* what) {
  fail(
      "%s %s images %d channels %d outputs %d groups %d kernel %dx%d stride %dx%d dilation %dx%d "
      "out %dx%d compact %d residual %d row_gap %d %s group_rows %d activation %d: %s",
      table.name, kernel.name, s.images, s.channels, s.outputs, s.groups, s.kernel_h, s.kernel_w,
      s.stride_h, s.stride_w, s.dilation_h, s.dilation_w, s.out_h, s.out_w, s.compact, s.residual,
      s.row_gap, kEncodingNames[(int)wc.encoding], wc.group_rows, a.kind, what);
}

void test_conv(const KernelTable& table, Random& random, const ConvShape& shape, bool depthwise) {
  const int rows_of[] = {1, 4, 16, 32, 40, 100000};
  const Activation activations[] = {{0, 0, 0}, {1, 0, 0}, {3, -0.5f, 1}, {7, 0, 0}};
  const Activation activation = random.pick(activations);
  ConvCase cc(random, shape, activation);
  const WeightsCase wc(random, random.pick(kEncodings), shape.outputs, shape.depth(),
                       random.pick(rows_of));
  const PackedWeights packed(table, wc), plain(scalar_table(), wc);
  const Kernel kernel = conv_kernel(table, depthwise);
  // Winograd's way wherever it can be taken: the rule would leave it to large shapes.
  cc.conv.way = random.below(4) && !shape.scaled ? ConvWay::kWinograd : ConvWay::kPlain;
  const auto want = run_conv(conv_kernel(scalar_table(), depthwise), cc, plain.weights, nullptr);
  const auto got = run_conv(kernel, cc, packed.weights, nullptr);
  const auto again = run_conv(kernel, cc, packed.weights, &random);
  const size_t plane = (size_t)(shape.out_h * shape.out_w) * kLanes;
  const double tolerance = 1e-6 + 1e-7 * shape.depth();
  for (size_t i = 0; i < got.size(); ++i) {
    const size_t output = i % cc.conv.out_image / plane * kLanes + i % kLanes;
    if (output >= (size_t)shape.outputs) continue;
    char what[120];
    if (memcmp(&got[i], &again[i], 4) != 0) {
      fail_conv(table, kernel, shape, wc, activation, "differs when run in pieces");
      return;
    }
    if (close(got[i], want[i], tolerance)) continue;
    snprintf(what, sizeof what, "at %zu (output %zu): %.9g, not %.9g", i, output, (double)got[i],
             (double)want[i]);
    fail_conv(table, kernel, shape, wc, activation, what);
    return;
  }
}

// Some zeros around the input; a row and a column of it are left.
void pad(Random& random, ConvShape* s) {
  const int height = s->reach_h(), width = s->reach_w();
  s->top = random.below(std::min(height, s->kernel_h * s->dilation_h + 1));
  s->bottom = random.below(std::min(height - s->top, s->kernel_h * s->dilation_h + 1));
  s->left = random.below(std::min(width, s->kernel_w * s->dilation_w + 1));
  s->right = random.below(std::min(width - s->left, s->kernel_w * s->dilation_w + 1));
}

void test_convs(const KernelTable& table, Random& random) {
  for (int repeat = 0; repeat < share_of(700); ++repeat) {
    test_conv(table, random, random_conv(random), false);
  }
  for (int repeat = 0; repeat < share_of(300); ++repeat) {  // as Winograd's way takes them
    ConvShape s = random_conv(random);
    // Up to several slices of weights, and outputs whose panels are not shared out evenly.
    const int many[] = {8, 16, 17, 40, 72, 100, 160, 300, 520};
    s.groups = 1 + random.below(2);
    s.channels = s.groups == 1 ? random.pick(many) : 2 * kLanes * (1 + random.below(3));
    s.outputs = s.groups == 1 ? random.pick(many) : 2 * kLanes * (1 + random.below(6));
    s.kernel_h = s.kernel_w = 3;
    s.stride_h = s.stride_w = s.dilation_h = s.dilation_w = 1;
    s.out_h = 1 + random.below(20);
    s.compact = s.scaled = false;
    test_conv(table, random, s, false);
  }
  const int group_counts[] = {2, 3, 4, 8}, per_group[] = {1, 2, 3, 4, 8, 12, 16, 24, 32, 48};
  for (int repeat = 0; repeat < share_of(200); ++repeat) {
    ConvShape s = random_conv(random);
    s.groups = random.pick(group_counts);
    s.channels = s.groups * random.pick(per_group);
    s.outputs = s.groups * random.pick(per_group);
    s.compact = s.channels <= 8 && random.below(2);
    s.scaled = false;
    test_conv(table, random, s, false);
  }
  for (int repeat = 0; repeat < share_of(300); ++repeat) {
    ConvShape s = random_conv(random);
    s.groups = s.outputs = s.channels;
    s.scaled = false;
    if (random.below(4)) pad(random, &s);
    test_conv(table, random, s, true);
  }
  if (percent < 100) return;
  // Large enough for several tiles, several slices of weights, the last not whole.
  test_conv(table, random, {1, 24, 80, 1, 3, 3, 1, 1, 1, 1, 41, 43, false, true, 2}, false);
  test_conv(table, random, {1, 40, 100, 1, 1, 1, 1, 1, 1, 1, 33, 35, false, true, 0, true}, false);
  test_conv(table, random, {3, 200, 50, 1, 7, 7, 1, 1, 1, 1, 5, 6, false, true, 1}, false);
  test_conv(table, random, {1, 520, 72, 1, 3, 3, 1, 1, 1, 1, 4, 5, false, true, 0}, false);
  test_conv(table, random, {1, 40, 40, 40, 5, 5, 1, 1, 1, 1, 70, 71, false, true, 0}, true);
  test_conv(table, random, {1, 400, 200, 1, 3, 3, 1, 1, 1, 1, 29, 30, false, true, 1}, false);
}

// ---- linear and matmul

void test_linear(const KernelTable& table, Random& random, int batch, int depth, int outputs) {
  const int rows_of[] = {1, 4, 16, 32, 40, 100000};
  const Activation activations[] = {{0, 0, 0}, {1, 0, 0}, {3, -0.5f, 1}, {8, 0, 0}};
  const WeightsCase wc(random, random.pick(kEncodings), outputs, depth, random.pick(rows_of));
  const PackedWeights packed(table, wc), plain(scalar_table(), wc);
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
  linear.output = want.data();
  linear.weights = plain.weights;
  Scratch plain_scratch(scalar_table().linear_scratch_bytes(linear));
  scalar_table().linear_run(linear, 0, scalar_table().linear_items(linear), plain_scratch.data());
  for (size_t i = 0; i < got.size(); ++i) {
    if (memcmp(&got[i], &again[i], 4) == 0 && close(got[i], want[i], 1e-6 + 1e-7 * depth)) continue;
    fail(
        "%s linear batch %d depth %d outputs %d %s group_rows %d activation %d at %zu: %.9g (in "
        "pieces %.9g), not %.9g",
        table.name, batch, depth, outputs, kEncodingNames[(int)wc.encoding], wc.group_rows,
        linear.activation.kind, i, (double)got[i], (double)again[i], (double)want[i]);
    return;
  }
}

void test_linears(const KernelTable& table, Random& random) {
  const int sizes[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 48, 64, 100, 130};
  for (int repeat = 0; repeat < share_of(500); ++repeat) {
    const int batch = random.below(2) ? 1 : 2 + random.below(30);
    test_linear(table, random, batch, random.pick(sizes), random.pick(sizes));
  }
  if (percent < 100) return;
  for (int batch : {1, 2, 10, 13, 197, 300}) test_linear(table, random, batch, 1100, 90);
}

void test_matmul(const KernelTable& table, Random& random) {
  const int sizes[] = {1, 2, 3, 7, 15, 16, 17, 33, 48, 65, 130, 150};
  for (int repeat = 0; repeat < share_of(300); ++repeat) {
    const int m = random.pick(sizes), n = random.pick(sizes), k = random.pick(sizes);
    const int transpose = random.below(2), gap = random.below(3);
    const size_t lda = (size_t)(k + gap), ldb = (size_t)((transpose ? k : n) + gap);
    const size_t ldc = (size_t)(n + gap);
    std::vector<float> a(lda * (size_t)m), b(ldb * (size_t)(transpose ? n : k));
    for (auto& x : a) x = random.unit();
    for (auto& x : b) x = random.unit();
    std::vector<float> got(ldc * (size_t)m, 99), want = got;
    const float scale = 1 + random.unit() / 2;
    table.matmul(a.data(), b.data(), got.data(), m, n, k, lda, ldb, ldc, transpose, scale);
    scalar_table().matmul(a.data(), b.data(), want.data(), m, n, k, lda, ldb, ldc, transpose,
                          scale);
    for (size_t i = 0; i < got.size(); ++i) {
      if (close(got[i], want[i], 1e-6 + 4e-7 * k)) continue;
      fail("%s matmul m %d n %d k %d gap %d transpose_b %d at %zu: %.9g, not %.9g", table.name, m,
           n, k, gap, transpose, i, (double)got[i], (double)want[i]);
      return;
    }
  }
}

// ---- activations

// How far off an activation may be: relative to the result, plus a floor for where it is tiny.
double activation_tolerance(int kind, float x, float want) {
  if (kind <= 3 || (kind >= 14 && kind <= 17)) return 1.2e-7 * fabs((double)want);
  const double floor = kind == 5   ? 1e-7
                       : kind == 6 ? 2e-7 * fabs((double)x)
                       : kind == 8 ? 3e-7 * fabs((double)x)  // 1 + erf cancels
                       : kind == 9 ? 5e-9
                                   : 1e-36;
  return 5e-7 * fabs((double)want) + floor;
}

void test_activation(const KernelTable& table, int kind, const std::vector<float>& x) {
  const Activation activation = {kind,
                                 kind == 5   ? 0.2f
                                 : kind == 3 ? -0.25f
                                             : 0.7f,
                                 kind == 3 ? 2.f : 0.5f};
  std::vector<float> got(x.size()), want(x.size()), in_place = x;
  table.activate(x.data(), got.data(), x.size(), activation);
  table.activate(in_place.data(), in_place.data(), x.size(), activation);
  scalar_table().activate(x.data(), want.data(), x.size(), activation);
  for (size_t i = 0; i < x.size(); ++i) {
    const bool both_odd = isnan(got[i]) && isnan(want[i]);
    const double tolerance = activation_tolerance(kind, x[i], want[i]);
    if ((both_odd || close(got[i], want[i], tolerance)) && memcmp(&got[i], &in_place[i], 4) == 0) {
      continue;
    }
    fail("%s activation %d of %.9g: %.9g (in place %.9g), not %.9g", table.name, kind, (double)x[i],
         (double)got[i], (double)in_place[i], (double)want[i]);
    return;
  }
}

void test_activations(const KernelTable& table, Random& random) {
  const float infinity = __builtin_inff();
  std::vector<float> x = {0.f,         -0.f,   1.f,     -1.f,   infinity, -infinity,
                          kNotANumber, 1e-30f, -1e-30f, 88.f,   -88.f,    100.f,
                          -100.f,      3.f,    -3.f,    1e-40f, 3e38f,    -3e38f};
  for (int i = 0; i < 4001; ++i) x.push_back(random.unit() * 12);
  for (int i = 0; i < 2000; ++i) x.push_back(random.unit() * expf(random.unit() * 20));
  for (int kind = 0; kind < 20; ++kind) test_activation(table, kind, x);
  for (size_t count = 0; count < 40; ++count) {
    test_activation(table, 1, {x.begin(), x.begin() + (ptrdiff_t)count});
    test_activation(table, 4, {x.begin() + 20, x.begin() + 20 + (ptrdiff_t)count});
  }
}

// ---- rows

void test_softmax(const KernelTable& table, Random& random, int size) {
  std::vector<float> x((size_t)size), got(x.size() + 1, 99), want = got;
  const float spread = expf(4 * random.unit());
  for (auto& value : x) value = random.below(20) ? random.unit() * spread : -__builtin_inff();
  x[(size_t)random.below(size)] = random.unit();
  std::vector<float> in_place = x;
  table.softmax(x.data(), got.data(), x.size());
  table.softmax(in_place.data(), in_place.data(), x.size());
  scalar_table().softmax(x.data(), want.data(), x.size());
  for (size_t i = 0; i <= x.size(); ++i) {
    const bool same = i == x.size() || memcmp(&got[i], &in_place[i], 4) == 0;
    // x - m is rounded, and so is as far off as the spread is large.
    const double tolerance = 3e-7 * (1 + (double)spread) * fabs((double)want[i]) + 1e-36;
    if (same && close(got[i], want[i], tolerance)) continue;
    fail("%s softmax of %d at %zu: %.9g, not %.9g", table.name, size, i, (double)got[i],
         (double)want[i]);
    return;
  }
}

// A plain matrix, or a blocked picture whose lanes beyond the last channel are not numbers.
void test_normalize(const KernelTable& table, Random& random, int size, bool blocked) {
  const size_t rows = 1 + (size_t)random.below(9), blocks = ((size_t)size + 15) / 16;
  NormRows norm = {};
  norm.rows = rows;
  norm.size = (size_t)size;
  norm.row = blocked ? kLanes : norm.size;
  norm.block = blocked ? rows * kLanes : kLanes;
  norm.epsilon = 1e-5f;
  std::vector<float> x(blocked ? blocks * norm.block : rows * norm.size, kNotANumber);
  const auto place = [&](size_t i) {
    return i / norm.size * norm.row + i % norm.size / kLanes * norm.block + i % norm.size % kLanes;
  };
  const float shift = 3 * random.unit();
  for (size_t i = 0; i < rows * norm.size; ++i) x[place(i)] = random.unit() + shift;
  std::vector<float> scale(blocked ? blocks * kLanes : norm.size), bias = scale;
  for (auto& value : scale) value = random.unit();
  for (auto& value : bias) value = random.unit();
  if (random.below(3)) norm.scale = scale.data();
  if (random.below(3)) norm.bias = bias.data();
  std::vector<float> got(x.size() + 1, 99), want = got, in_place = x;
  norm.input = x.data();
  norm.output = got.data();
  table.normalize(norm);
  norm.output = want.data();
  scalar_table().normalize(norm);
  norm.input = norm.output = in_place.data();
  table.normalize(norm);
  for (size_t i = 0; i < rows * norm.size; ++i) {
    const size_t at = place(i);
    // One value has no variance: what is left of the mean's rounding is not told from zero.
    if (close(got[at], want[at], 4e-6) && memcmp(&got[at], &in_place[at], 4) == 0) continue;
    fail("%s normalize rows %zu size %d blocked %d at %zu: %.9g, not %.9g", table.name, rows, size,
         blocked, i, (double)got[at], (double)want[at]);
    return;
  }
  if (got.back() != 99) fail("%s normalize writes beyond its rows", table.name);
}

// Blocked pixels whose lanes beyond the last channel are not numbers.
void test_lrn(const KernelTable& table, Random& random, int group, int groups, float beta) {
  const size_t channels = (size_t)(group * groups), blocks = (channels + 15) / 16;
  LrnPixels lrn = {};
  lrn.pixels = 1 + (size_t)random.below(20);
  lrn.block = (lrn.pixels + (size_t)random.below(3)) * kLanes;
  lrn.channels = channels;
  lrn.group = (size_t)group;
  lrn.before = (size_t)random.below(std::min(group, 6));
  lrn.after = (size_t)random.below(std::min(group, 6));
  lrn.line = lrn_line(channels, lrn.group, lrn.before, lrn.after);
  lrn.scale = random.below(2) ? 1e-4f : 0.3f;
  lrn.beta = beta;
  lrn.bias = random.below(2) ? 2.0f : 0.1f;
  std::vector<float> squares(kLrnPixels * lrn.line + 1, kNotANumber);
  squares.back() = 99;
  lrn.squares = squares.data();
  std::vector<float> x(blocks * lrn.block, kNotANumber);
  const auto place = [&](size_t i) {
    const size_t c = i % channels;
    return c / kLanes * lrn.block + i / channels * kLanes + c % kLanes;
  };
  const float size = random.below(2) ? 1.0f : 300.0f;
  for (size_t i = 0; i < lrn.pixels * channels; ++i) x[place(i)] = random.unit() * size;
  std::vector<float> got(x.size() + 1, 99), want = got, in_place = x;
  lrn.input = x.data();
  lrn.output = got.data();
  table.lrn(lrn);
  lrn.output = want.data();
  scalar_table().lrn(lrn);
  lrn.input = lrn.output = in_place.data();
  table.lrn(lrn);
  for (size_t i = 0; i < lrn.pixels * channels; ++i) {
    const size_t at = place(i);
    const double tolerance = (beta == 0.6f ? 4e-6 : 1e-6) * fabs((double)want[at]);
    if (close(got[at], want[at], tolerance) && memcmp(&got[at], &in_place[at], 4) == 0) continue;
    fail("%s lrn %d x %d channels, %zu before, %zu after, beta %g at %zu: %.9g, not %.9g",
         table.name, groups, group, lrn.before, lrn.after, (double)beta, i, (double)got[at],
         (double)want[at]);
    return;
  }
  if (got.back() != 99) fail("%s lrn writes beyond its pixels", table.name);
  if (squares.back() != 99) fail("%s lrn writes beyond its lines", table.name);
}

void test_lrns(const KernelTable& table) {
  Random random(19);
  for (const int group : {1, 3, 4, 5, 8, 12, 16, 17, 24, 32, 48, 50, 128}) {
    for (const int groups : {1, 2, 3}) {
      for (const float beta : {0.75f, 0.5f, 0.6f}) test_lrn(table, random, group, groups, beta);
    }
  }
}

void test_rows(const KernelTable& table, Random& random) {
  for (int size = 1; size < 70; ++size) {
    test_softmax(table, random, size);
    test_normalize(table, random, size, false);
    test_normalize(table, random, size, true);
  }
  for (const int size : {192, 197, 400}) {
    test_softmax(table, random, size);
    test_normalize(table, random, size, false);
    test_normalize(table, random, size, true);
  }
}

// The plain loops' decode, from the unpacked weights: what is packed comes back.
void test_plain_decode(Random& random) {
  for (const Encoding encoding : {Encoding::kIndex1, Encoding::kIndex4, Encoding::kIndex8}) {
    const WeightsCase wc(random, encoding, 21, 37, 5);
    const PackedWeights packed(scalar_table(), wc);
    for (int o = 0; o < 21; ++o) {
      for (int k = 0; k < 37; ++k) {
        float row[kLanes];
        scalar_table().decode(packed.weights, o / kLanes, k, k + 1, row, kLanes);
        const size_t index = wc.indices[(size_t)(o * 37 + k)];
        const uint16_t half = wc.palettes[((size_t)(o / 5) << bits_of(encoding)) + index];
        const double fraction = (half & 0x3ff) / 1024.0;
        const int exponent = half >> 10 & 31;
        const double size = exponent ? ldexp(1 + fraction, exponent - 15) : ldexp(fraction, -14);
        if (close(row[o % kLanes], (float)(half & 0x8000 ? -size : size), 0)) continue;
        fail("plain decode %s output %d k %d", kEncodingNames[(int)encoding], o, k);
        return;
      }
    }
  }
}

}  // namespace
}  // namespace pocketlens::test

int main(int count, char** arguments) {
  using namespace pocketlens;
  using namespace pocketlens::test;
  if (count > 1) percent = atoi(arguments[1]);
  Random plain(1);
  test_plain_decode(plain);
  for (size_t i = 0; i + 1 < kernel_table_count(); ++i) {
    const KernelTable& table = kernel_table(i);
    Random random(7 + i);
    test_decode(table, random);
    test_convs(table, random);
    test_linears(table, random);
    test_matmul(table, random);
    test_activations(table, random);
    test_rows(table, random);
    test_lrns(table);
    printf("%s: %ld comparisons, %d failures\n", table.name, checks, failures);
  }
  return failures ? 1 : 0;
}
