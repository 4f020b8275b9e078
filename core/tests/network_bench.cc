// Where the time of a whole network goes, step by step.
//
//   network_bench NAME.plan [TARGET [THREADS [bf16]]]
//
// NAME.bands stands beside it; tests/dump_plans.py writes both from a lens. Each time is the least
// of many runs of the whole network, so what is before a step is as it is when nobody measures. A
// conversion is a copy into another layout that the op after it asked for. How far two threads can
// get is told from the times of the items, one by one, of each step: next to nothing else runs
// then, but nobody has to wait for a second processor to be idle. Not a test.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "plan/ops.h"
#include "run/lens.h"

namespace pocketlens::test {
namespace {

typedef std::vector<uint8_t> Bytes;

constexpr const char* kOpNames[] = {
    "",        "conv2d", "linear",     "matmul", "max_pool", "avg_pool",   "reduce",
    "unary",   "binary", "concat",     "slice",  "pad",      "reshape",    "transpose",
    "softmax", "lrn",    "layer_norm", "resize", "expand",   "grouped_lrn"};
static_assert(sizeof kOpNames / sizeof kOpNames[0] == kOpKinds);

double seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

Bytes bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    fprintf(stderr, "%s cannot be read\n", path.c_str());
    exit(1);
  }
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

void feed_all(Lens* lens, Bytes bands) {
  for (size_t at = 0; at < bands.size();) {
    uint32_t head[3];  // plane, band, bytes
    memcpy(head, bands.data() + at, sizeof head);
    at += sizeof head;
    if (!lens->feed(head[0], head[1], bands.data() + at, head[2]).ok()) {
      fprintf(stderr, "band %u of plane %u is refused\n", head[1], head[0]);
      exit(1);
    }
    at += head[2];
  }
}

std::string text_of(const Shape& shape) {
  std::string text;
  for (int i = 0; i < shape.rank; ++i) {
    text += (i ? "x" : "") + std::to_string(shape.dims[i]);
  }
  return text;
}

// Multiplications and additions of a conv2d, linear or matmul; 0 for others.
double flops_of(const Plan& plan, const Op& op) {
  const double outputs = static_cast<double>(plan.values[op.output].elements());
  const Shape& a = plan.shape_of(op.input(0));
  switch (static_cast<OpKind>(op.kind)) {
    case OpKind::kConv2d:
    case OpKind::kLinear: {
      const Shape& w = plan.shape_of(op.input(1));
      return 2 * outputs * static_cast<double>(w.elements() / w.dims[0]);
    }
    case OpKind::kMatmul:
      return 2 * outputs * a.dims[a.rank - 1];
    default:
      return 0;
  }
}

std::string name_of(const Plan& plan, const Op& op, bool conversion) {
  std::string name = conversion ? "  conversion for " : "";
  name += kOpNames[op.kind];
  name += " " + text_of(plan.shape_of(op.input(0)));
  if (op.input_count > 1 && !op.input(1).absent())
    name += " by " + text_of(plan.shape_of(op.input(1)));
  return name + " -> " + text_of(plan.values[op.output]);
}

struct Times {
  std::vector<double> steps;
  std::vector<std::vector<double>> items;  // of each step
  double whole = 1e9;
};

// The items of every step, one by one, by this thread.
void time_items(Lens* lens, void* scratch, Times* times) {
  const Frame frame = lens->frame();
  for (size_t s = 0; s < lens->step_count(); ++s) {
    for (size_t i = 0; i < times->items[s].size(); ++i) {
      const double start = seconds();
      lens->step(s).run(frame, i, i + 1, scratch);
      times->items[s][i] = std::min(times->items[s][i], seconds() - start);
    }
  }
}

// How long two threads take for the items of a step, each taking the next one when it is free.
double shared_seconds(const std::vector<double>& items) {
  double threads[2] = {};
  for (const double item : items) *std::min_element(threads, threads + 2) += item;
  return std::max(threads[0], threads[1]);
}

// At least 30 runs of the whole, step by step and item by item, in turns, and two seconds.
Times measure(Lens* lens, const float* const* inputs, float* const* outputs) {
  Times times;
  times.steps.assign(lens->step_count(), 1e9);
  size_t scratch_bytes = 0;
  for (size_t s = 0; s < lens->step_count(); ++s) {
    times.items.emplace_back(lens->step(s).items(1), 1e9);
    scratch_bytes = std::max(scratch_bytes, lens->step(s).scratch_bytes(1));
  }
  Memory scratch;
  if (!scratch.reset(scratch_bytes + kAlignment)) exit(1);
  const double end = seconds() + 2;
  for (int i = 0; i < 30 || seconds() < end; ++i) {
    const double start = seconds();
    lens->run(1, inputs, outputs);
    times.whole = std::min(times.whole, seconds() - start);
    double last = seconds();
    for (size_t s = 0; s < lens->step_count(); ++s) {
      lens->run_step(s);
      const double now = seconds();
      times.steps[s] = std::min(times.steps[s], now - last);
      last = now;
    }
    time_items(lens, scratch.data(), &times);
  }
  return times;
}

void print_steps(const Plan& plan, const Lens& lens, const Times& times) {
  double by_kind[kOpKinds + 1] = {}, sum = 0, shared = 0;
  for (size_t s = 0; s < lens.step_count(); ++s) {
    const Op& op = plan.ops[static_cast<size_t>(lens.step(s).op)];
    const bool conversion = s + 1 < lens.step_count() && lens.step(s + 1).op == lens.step(s).op;
    const double time = times.steps[s], flops = conversion ? 0 : flops_of(plan, op);
    by_kind[conversion ? 0 : op.kind] += time;
    sum += time;
    const double by_two = shared_seconds(times.items[s]);
    shared += by_two;
    printf("%4d %8.1f us ", lens.step(s).op, time * 1e6);
    printf(flops > 0 ? "%6.1f GFLOP/s " : "               ", flops / time / 1e9);
    printf("%4zu items x%.2f by two  %s\n", lens.step(s).items(1), time / by_two,
           name_of(plan, op, conversion).c_str());
  }
  printf("\n");
  for (uint32_t kind = 0; kind < kOpKinds; ++kind) {
    if (by_kind[kind] == 0) continue;
    printf("%-12s %8.3f ms %5.1f %%\n", kind ? kOpNames[kind] : "conversions", by_kind[kind] * 1e3,
           100 * by_kind[kind] / sum);
  }
  printf("sum of steps %8.3f ms, whole %.3f ms\n", sum * 1e3, times.whole * 1e3);
  printf("two threads, without waking: %.3f ms, x%.2f\n", shared * 1e3, sum / shared);
}

const KernelTable& table_named(const char* name, Precision precision) {
  for (size_t i = 0; i < kernel_table_count(precision); ++i) {
    const KernelTable& table = kernel_table(i, precision);
    if (strcmp(table.name, name) == 0) return table;
  }
  fprintf(stderr, "there is no target %s of this precision here\n", name);
  exit(1);
}

void bench(const std::string& path, const KernelTable& kernels, uint32_t threads) {
  const Bytes bytes = bytes_of(path);
  Lens lens(kernels);
  Plan plan;
  if (!read_plan(bytes.data(), bytes.size(), &plan).ok() ||
      !lens.open(bytes.data(), bytes.size(), threads).ok()) {
    fprintf(stderr, "%s is refused\n", path.c_str());
    exit(1);
  }
  feed_all(&lens, bytes_of(path.substr(0, path.rfind('.')) + ".bands"));
  std::vector<std::vector<float>> inputs, outputs;
  std::vector<const float*> from;
  std::vector<float*> to;
  for (size_t i = 0; i < lens.input_count(); ++i) inputs.emplace_back(lens.input_floats(i));
  for (size_t i = 0; i < lens.output_count(); ++i) outputs.emplace_back(lens.output_floats(i));
  for (auto& input : inputs) {
    for (size_t i = 0; i < input.size(); ++i) input[i] = sinf(static_cast<float>(i * i % 1009));
    from.push_back(input.data());
  }
  for (auto& output : outputs) to.push_back(output.data());
  print_steps(plan, lens, measure(&lens, from.data(), to.data()));
}

}  // namespace
}  // namespace pocketlens::test

int main(int count, char** arguments) {
  if (count < 2) {
    fprintf(stderr, "network_bench NAME.plan [TARGET [THREADS [bf16]]]\n");
    return 1;
  }
  const char* target = count > 2 ? arguments[2] : pocketlens::kernel_table(0).name;
  const uint32_t threads = count > 3 ? static_cast<uint32_t>(atoi(arguments[3])) : 1;
  const bool bf16 = count > 4 && strcmp(arguments[4], "bf16") == 0;
  const auto precision = bf16 ? pocketlens::Precision::kBf16 : pocketlens::Precision::kFp32;
  pocketlens::test::bench(arguments[1], pocketlens::test::table_named(target, precision), threads);
}
