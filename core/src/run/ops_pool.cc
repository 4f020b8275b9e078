// max_pool and avg_pool on blocked pictures. Windows are cut at the edges, so no halo is needed.
#include <new>

#include "base/lanes.h"
#include "plan/ops.h"
#include "run/ops.h"

namespace pocketlens {
namespace {

// The taps of one window along one axis that fall on the picture.
struct Taps {
  int32_t start;    // of the first tap, in pixels
  int32_t count;    // on the picture
  int32_t counted;  // on the picture and its pads
};

struct Axis {
  int32_t size, kernel, stride, dilation, before, after;

  Taps taps(int32_t out) const {
    const int64_t origin = int64_t{out} * stride - before;
    const int64_t first = origin < 0 ? (-origin + dilation - 1) / dilation : 0;
    int64_t last = 0;  // one after the last tap on the picture
    if (origin < size) last = (size - 1 - origin) / dilation + 1;
    if (last > kernel) last = kernel;
    int64_t padded = (int64_t{size} + after - 1 - origin) / dilation + 1;
    if (padded > kernel) padded = kernel;
    const int64_t count = last > first ? last - first : 0;
    return {static_cast<int32_t>(origin + first * dilation), static_cast<int32_t>(count),
            static_cast<int32_t>(padded)};
  }
};

// An item is one row of one block.
class PoolStep final : public Step {
 public:
  size_t items(size_t) const override { return groups * static_cast<size_t>(out_h); }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const size_t in_plane = static_cast<size_t>(y.size) * static_cast<size_t>(x.size) * kLanes;
    const size_t out_row = static_cast<size_t>(out_w) * kLanes;
    for (size_t item = begin; item < end; ++item) {
      const size_t group = item / static_cast<size_t>(out_h);
      const int32_t row = static_cast<int32_t>(item % static_cast<size_t>(out_h));
      const float* in = frame.at(reads[0]) + group * in_plane;
      float* out = frame.at(writes) + item * out_row;
      if (average) {
        average_row(in, row, out);
      } else {
        max_row(in, row, out);
      }
    }
  }

  size_t groups = 0;
  int32_t out_h = 0, out_w = 0;
  Axis y = {}, x = {};
  bool average = false, include_pad = false;

 private:
  void max_row(const float* in, int32_t row, float* out) const {
    const Taps rows = y.taps(row);
    const size_t down = static_cast<size_t>(y.dilation) * static_cast<size_t>(x.size) * kLanes;
    const size_t right = static_cast<size_t>(x.dilation) * kLanes;
    for (int32_t column = 0; column < out_w; ++column, out += kLanes) {
      const Taps columns = x.taps(column);
      Lanes most = Lanes::splat(-__builtin_inff());
      if (rows.count > 0 && columns.count > 0) {
        const float* line =
            in + (static_cast<size_t>(rows.start) * x.size + static_cast<size_t>(columns.start)) *
                     kLanes;
        for (int32_t i = 0; i < rows.count; ++i, line += down) {
          const float* pixel = line;
          for (int32_t k = 0; k < columns.count; ++k, pixel += right) {
            most = greater_of(Lanes::load(pixel), most);
          }
        }
      }
      most.store(out);
    }
  }

  void average_row(const float* in, int32_t row, float* out) const {
    const Taps rows = y.taps(row);
    const size_t down = static_cast<size_t>(y.dilation) * static_cast<size_t>(x.size) * kLanes;
    const size_t right = static_cast<size_t>(x.dilation) * kLanes;
    for (int32_t column = 0; column < out_w; ++column, out += kLanes) {
      const Taps columns = x.taps(column);
      Lanes sum = Lanes::splat(0);
      if (rows.count > 0 && columns.count > 0) {
        const float* line =
            in + (static_cast<size_t>(rows.start) * x.size + static_cast<size_t>(columns.start)) *
                     kLanes;
        for (int32_t i = 0; i < rows.count; ++i, line += down) {
          Lanes part = Lanes::splat(0);
          const float* pixel = line;
          for (int32_t k = 0; k < columns.count; ++k, pixel += right) {
            part = part + Lanes::load(pixel);
          }
          sum = sum + part;
        }
      }
      const int64_t count = include_pad ? int64_t{rows.counted} * columns.counted
                                        : int64_t{rows.count} * columns.count;
      (sum * Lanes::splat(count > 0 ? 1.0f / static_cast<float>(count) : 0.0f)).store(out);
    }
  }
};

}  // namespace

bool build_pool(Builder& builder, const Op& op) {
  using namespace pool_at;
  PoolStep* step = new (std::nothrow) PoolStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Shape& in = builder.shape(op.input(0));
  const Shape& out = builder.plan.values[op.output];
  const auto axis = [&](uint32_t i) {
    return Axis{in.dims[2 + i],           op.integer(kKernel + i),
                op.integer(kStrides + i), op.integer(kDilations + i),
                op.integer(kPads + i),    op.integer(kPads + 2 + i)};
  };
  const Pictures pictures = pictures_of(in);
  step->groups = static_cast<size_t>(pictures.images) * static_cast<size_t>(pictures.blocks());
  step->out_h = out.dims[2];
  step->out_w = out.dims[3];
  step->y = axis(0);
  step->x = axis(1);
  step->average = static_cast<OpKind>(op.kind) == OpKind::kAvgPool;
  step->include_pad = step->average && op.integer(kIncludePad) != 0;
  const int32_t input = builder.blocked(op.input(0));
  if (input < 0 || !step->reads.push(input)) return false;
  step->writes = builder.make(op, Layout::kBlocked);
  return step->writes >= 0 && builder.add(owned.release());
}

}  // namespace pocketlens
