// How fast single layers run, in GFLOP/s, one thread.
//
//   kernels_bench [target [filter]]      target: avx512, avx2, sse2, neon, scalar
//   kernels_bench target ways            the plain way of a 3x3 conv2d against Winograd's
//   kernels_bench target linears         full connect layers alone
//   kernels_bench target rest            activations, matmul, softmax, layer norm alone
//
// The time is the least of some runs, each after the layer's own data have been in use; so data
// that fit a cache are read from there. Not a test.
#include <stdio.h>
#include <time.h>

#include "kernels_cases.h"

namespace pocketlens::test {
namespace {

double seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// The least time of a run, over at least 15 runs and a twentieth of a second.
template <class Run>
double least_seconds(Run run) {
  double least = 1e9, end = seconds() + 0.05;
  for (int i = 0; i < 15 || seconds() < end; ++i) {
    const double start = seconds();
    run();
    least = std::min(least, seconds() - start);
  }
  return least;
}

struct Layer {
  const char* net;
  ConvShape shape;
  int repeats;  // how often the net has it
};

// channels, outputs, kernel, stride, out: a dense conv2d.
constexpr ConvShape dense(int c, int o, int k, int s, int out) {
  return {1, c, o, 1, k, k, s, s, 1, 1, out, out, c <= 4, false, 0};
}

constexpr ConvShape depthwise(int c, int k, int s, int out) {
  const int pad = k / 2;
  return {1, c, c, c, k, k, s, s, 1, 1, out, out, false, false, 0, false, pad, pad, pad, pad};
}

constexpr ConvShape grouped(int c, int o, int groups, int k, int s, int out) {
  return {1, c, o, groups, k, k, s, s, 1, 1, out, out, false, false, 0};
}

const Layer kLayers[] = {
    {"squeezenet1.1", dense(3, 64, 3, 2, 111), 1},
    {"squeezenet1.1", dense(64, 16, 1, 1, 55), 1},
    {"squeezenet1.1", dense(16, 64, 1, 1, 55), 2},
    {"squeezenet1.1", dense(16, 64, 3, 1, 55), 2},
    {"squeezenet1.1", dense(128, 16, 1, 1, 55), 1},
    {"squeezenet1.1", dense(128, 32, 1, 1, 27), 1},
    {"squeezenet1.1", dense(32, 128, 1, 1, 27), 2},
    {"squeezenet1.1", dense(32, 128, 3, 1, 27), 2},
    {"squeezenet1.1", dense(256, 32, 1, 1, 27), 1},
    {"squeezenet1.1", dense(256, 48, 1, 1, 13), 1},
    {"squeezenet1.1", dense(48, 192, 1, 1, 13), 2},
    {"squeezenet1.1", dense(48, 192, 3, 1, 13), 2},
    {"squeezenet1.1", dense(384, 48, 1, 1, 13), 1},
    {"squeezenet1.1", dense(384, 64, 1, 1, 13), 1},
    {"squeezenet1.1", dense(64, 256, 1, 1, 13), 2},
    {"squeezenet1.1", dense(64, 256, 3, 1, 13), 2},
    {"squeezenet1.1", dense(512, 64, 1, 1, 13), 1},
    {"squeezenet1.1", dense(512, 1000, 1, 1, 13), 1},
    {"mobilenetv2", dense(3, 32, 3, 2, 112), 1},
    {"mobilenetv2", depthwise(32, 3, 1, 112), 1},
    {"mobilenetv2", dense(32, 16, 1, 1, 112), 1},
    {"mobilenetv2", dense(16, 96, 1, 1, 112), 1},
    {"mobilenetv2", depthwise(96, 3, 2, 56), 1},
    {"mobilenetv2", dense(96, 24, 1, 1, 56), 1},
    {"mobilenetv2", dense(24, 144, 1, 1, 56), 2},
    {"mobilenetv2", depthwise(144, 3, 1, 56), 1},
    {"mobilenetv2", dense(144, 24, 1, 1, 56), 1},
    {"mobilenetv2", depthwise(144, 3, 2, 28), 1},
    {"mobilenetv2", dense(144, 32, 1, 1, 28), 1},
    {"mobilenetv2", dense(32, 192, 1, 1, 28), 3},
    {"mobilenetv2", depthwise(192, 3, 1, 28), 2},
    {"mobilenetv2", dense(192, 32, 1, 1, 28), 2},
    {"mobilenetv2", depthwise(192, 3, 2, 14), 1},
    {"mobilenetv2", dense(192, 64, 1, 1, 14), 1},
    {"mobilenetv2", dense(64, 384, 1, 1, 14), 4},
    {"mobilenetv2", depthwise(384, 3, 1, 14), 4},
    {"mobilenetv2", dense(384, 64, 1, 1, 14), 3},
    {"mobilenetv2", dense(384, 96, 1, 1, 14), 1},
    {"mobilenetv2", dense(96, 576, 1, 1, 14), 3},
    {"mobilenetv2", depthwise(576, 3, 1, 14), 2},
    {"mobilenetv2", dense(576, 96, 1, 1, 14), 2},
    {"mobilenetv2", depthwise(576, 3, 2, 7), 1},
    {"mobilenetv2", dense(576, 160, 1, 1, 7), 1},
    {"mobilenetv2", dense(160, 960, 1, 1, 7), 3},
    {"mobilenetv2", depthwise(960, 3, 1, 7), 3},
    {"mobilenetv2", dense(960, 160, 1, 1, 7), 2},
    {"mobilenetv2", dense(960, 320, 1, 1, 7), 1},
    {"mobilenetv2", dense(320, 1280, 1, 1, 7), 1},
    {"alexnet", dense(3, 96, 11, 4, 55), 1},
    {"alexnet", grouped(96, 256, 2, 5, 1, 27), 1},
    {"alexnet", dense(256, 384, 3, 1, 13), 1},
    {"alexnet", grouped(384, 384, 2, 3, 1, 13), 1},
    {"alexnet", grouped(384, 256, 2, 3, 1, 13), 1},
    {"resnet50", dense(3, 64, 7, 2, 112), 1},
    {"resnet50", dense(64, 64, 3, 1, 56), 3},
    {"resnet50", dense(64, 256, 1, 1, 56), 4},
    {"resnet50", dense(256, 64, 1, 1, 56), 2},
    {"resnet50", dense(128, 128, 3, 1, 28), 4},
    {"resnet50", dense(256, 256, 3, 1, 14), 6},
    {"resnet50", dense(256, 1024, 1, 1, 14), 6},
    {"resnet50", dense(1024, 256, 1, 1, 14), 5},
    {"resnet50", dense(512, 512, 3, 1, 7), 3},
    {"resnet50", dense(512, 2048, 1, 1, 7), 3},
    {"resnet50", dense(2048, 512, 1, 1, 7), 2},
    {"various", depthwise(240, 5, 1, 28), 1},
    {"various", depthwise(240, 5, 2, 14), 1},
    {"various", depthwise(80, 7, 1, 28), 1},
    {"various", grouped(128, 128, 32, 3, 1, 56), 1},
    {"various", grouped(48, 48, 2, 3, 1, 56), 1},
};

double time_conv(const KernelTable& table, const ConvShape& s, Encoding encoding,
                 ConvWay way = ConvWay::kQuickest) {
  Random random(3);
  const ConvCase cc(random, s, {1, 0, 0});
  const WeightsCase wc(random, encoding, s.outputs, s.depth(), 1 << 20);
  const PackedWeights packed(table, wc);
  Conv2d conv = cc.conv;
  conv.weights = packed.weights;
  conv.way = way;
  std::vector<float> output(conv.out_image);
  conv.output = output.data();
  if (s.groups == s.channels && s.groups == s.outputs) {
    Scratch scratch(table.depthwise_scratch_bytes(conv));
    const size_t items = table.depthwise_items(conv);
    return least_seconds([&] { table.depthwise_run(conv, 0, items, scratch.data()); });
  }
  Scratch scratch(table.conv2d_scratch_bytes(conv));
  const size_t items = table.conv2d_items(conv);
  return least_seconds([&] { table.conv2d_run(conv, 0, items, scratch.data()); });
}

void bench_convs(const KernelTable& table, const char* filter) {
  const Encoding encodings[] = {Encoding::kIndex4, Encoding::kIndex8, Encoding::kFloat};
  const char* net = "";
  double total[3] = {}, flops = 0;
  const auto end_net = [&] {
    if (flops == 0) return;
    printf("%-13s in all  4 bits %.2f ms (%.0f GFLOP/s)  8 bits %.2f  float %.2f\n\n", net,
           total[0] * 1e3, flops / total[0] / 1e9, total[1] * 1e3, total[2] * 1e3);
    total[0] = total[1] = total[2] = flops = 0;
  };
  for (const Layer& layer : kLayers) {
    if (filter && !strstr(layer.net, filter)) continue;
    const ConvShape& s = layer.shape;
    if (strcmp(net, layer.net) != 0) end_net();
    net = layer.net;
    printf("%-13s %4d-%4d g%-3d %dx%d s%d out %3d x%d ", net, s.channels, s.outputs, s.groups,
           s.kernel_h, s.kernel_w, s.stride_h, s.out_h, layer.repeats);
    for (int i = 0; i < 3; ++i) {
      const double time = time_conv(table, s, encodings[i]);
      total[i] += time * layer.repeats;
      printf(" %s %7.1f us %5.1f GFLOP/s", kEncodingNames[(int)encodings[i]], time * 1e6,
             s.flops() / time / 1e9);
      fflush(stdout);
    }
    flops += s.flops() * layer.repeats;
    printf("\n");
  }
  end_net();
}

// Whether the rule that chooses between the plain way and Winograd's chooses the quicker one.
void bench_ways(const KernelTable& table) {
  double plain_ms = 0, chosen_ms = 0, least_ms = 0;
  for (const int channels : {16, 32, 64, 128, 256, 512}) {
    for (const int outputs : {16, 32, 64, 128, 256, 512}) {
      for (const int out : {7, 14, 28, 56}) {
        const ConvShape s = dense(channels, outputs, 3, 1, out);
        if (s.flops() > 1e9) continue;
        const double plain = time_conv(table, s, Encoding::kIndex4, ConvWay::kPlain) * 1e3;
        const double winograd = time_conv(table, s, Encoding::kIndex4, ConvWay::kWinograd) * 1e3;
        const double chosen = time_conv(table, s, Encoding::kIndex4) * 1e3;
        const bool wrong = chosen > 1.05 * std::min(plain, winograd);
        printf("3x3 %3d-%3d out %2d  plain %7.3f ms  Winograd %7.3f  x%.2f  chosen %7.3f%s\n",
               channels, outputs, out, plain, winograd, plain / winograd, chosen,
               wrong ? "  <- the slower one" : "");
        plain_ms += plain, chosen_ms += chosen, least_ms += std::min(plain, winograd);
      }
    }
  }
  printf("in all: plain %.2f ms, by the rule %.2f, at best %.2f\n", plain_ms, chosen_ms, least_ms);
}

void bench_linears(const KernelTable& table) {
  const int shapes[][2] = {{9216, 4096}, {4096, 4096}, {4096, 1000}, {1280, 1000}, {768, 3072}};
  const Encoding encodings[] = {Encoding::kIndex1, Encoding::kIndex2, Encoding::kIndex4,
                                Encoding::kIndex8, Encoding::kHalf,   Encoding::kFloat};
  for (const auto& shape : shapes) {
    for (const Encoding encoding : encodings) {
      Random random(5);
      const WeightsCase wc(random, encoding, shape[1], shape[0], 1 << 20);
      const PackedWeights packed(table, wc);
      printf("linear %4d-%4d %-6s", shape[0], shape[1], kEncodingNames[(int)encoding]);
      for (const int batch : {1, 2, 4, 10, 13, 20, 32, 197}) {
        if (batch == 197 && shape[0] > 1000) continue;
        std::vector<float> input((size_t)(batch * shape[0]), 0.5f);
        std::vector<float> bias((size_t)shape[1] + 16), output((size_t)(batch * shape[1]));
        const Linear linear = {batch, input.data(), bias.data(), output.data(), packed.weights, {}};
        Scratch scratch(table.linear_scratch_bytes(linear));
        const size_t items = table.linear_items(linear);
        const double time =
            least_seconds([&] { table.linear_run(linear, 0, items, scratch.data()); });
        printf("  batch %d %8.1f us %5.1f GFLOP/s", batch, time * 1e6,
               2.0 * batch * shape[0] * shape[1] / time / 1e9);
      }
      printf("\n");
    }
  }
}

void bench_rest(const KernelTable& table) {
  std::vector<float> x(4096), y(4096);
  Random random(9);
  for (auto& value : x) value = random.unit() * 6;
  printf("\nactivations, ns for 16 floats:");
  for (int kind = 1; kind < 20; ++kind) {
    const double time =
        least_seconds([&] { table.activate(x.data(), y.data(), x.size(), {kind, 0.2f, 0.5f}); });
    printf(" %d: %.1f", kind, time * 1e9 / (double)x.size() * 16);
  }
  printf("\n");
  std::vector<float> row(197, 0.5f), ones(192, 1);
  double time = least_seconds([&] { table.softmax(row.data(), row.data(), row.size()); });
  printf("softmax of 197: %.3f us\n", time * 1e6);
  for (const bool blocked : {false, true}) {
    const NormRows norm = {x.data(), y.data(), blocked ? 16u : 192u, blocked ? 16u * 21 : 16u,
                           21,       192,      ones.data(),          ones.data(),
                           1e-6f};
    time = least_seconds([&] { table.normalize(norm); });
    printf("normalize 21x192%s: %.3f us\n", blocked ? " blocked" : "", time * 1e6);
  }
  std::vector<float> picture(6 * 1024 * 16, 0.5f), lines(kLrnPixels * lrn_line(96, 48, 2, 2));
  const LrnPixels lrn = {
      picture.data(), picture.data(),        1024 * 16, 1024, 96, 48, 2, 2, 1e-4f, 0.75f, 2.0f,
      lines.data(),   lrn_line(96, 48, 2, 2)};
  time = least_seconds([&] { table.lrn(lrn); });
  printf("lrn 1024x96 of 2 groups: %.3f us\n", time * 1e6);
  const int shapes[][4] = {
      {197, 197, 64, 1}, {197, 64, 197, 0}, {49, 49, 32, 1}, {512, 512, 512, 0}};
  for (const auto& s : shapes) {
    const int m = s[0], n = s[1], k = s[2];
    std::vector<float> a((size_t)(m * k), 0.5f), b((size_t)(n * k), 0.5f), c((size_t)(m * n));
    const double time = least_seconds([&] {
      table.matmul(a.data(), b.data(), c.data(), m, n, k, (size_t)k, (size_t)(s[3] ? k : n),
                   (size_t)n, s[3], 0.125f);
    });
    printf("matmul %dx%dx%d transpose_b %d: %.1f us %.1f GFLOP/s\n", m, n, k, s[3], time * 1e6,
           2.0 * m * n * k / time / 1e9);
  }
}

}  // namespace
}  // namespace pocketlens::test

int main(int count, char** arguments) {
  using namespace pocketlens;
  for (size_t i = 0; i < kernel_table_count(); ++i) {
    const KernelTable& table = kernel_table(i);
    if (strcmp(count > 1 ? arguments[1] : kernel_table(0).name, table.name) != 0) continue;
    printf("%s, one thread\n\n", table.name);
    if (count > 2 && strcmp(arguments[2], "ways") == 0) {
      test::bench_ways(table);
      return 0;
    }
    if (count > 2 && strcmp(arguments[2], "linears") == 0) {
      test::bench_linears(table);
      return 0;
    }
    if (count > 2 && strcmp(arguments[2], "rest") == 0) {
      test::bench_rest(table);
      return 0;
    }
    test::bench_convs(table, count > 2 ? arguments[2] : nullptr);
    if (count > 2) return 0;
    test::bench_linears(table);
    test::bench_rest(table);
  }
}
