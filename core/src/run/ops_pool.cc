// max_pool and avg_pool on blocked pictures. Windows are cut at the edges, so no halo is needed.
#include <new>

#include "plan/ops.h"
#include "run/ops.h"
#include "run/parts.h"

namespace pocketlens {

PoolAxis::Taps PoolAxis::taps(int32_t out) const {
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

namespace {

// Whether the taps `further` columns on are those of `first`, moved by as many strides.
bool follows(const PoolAxis& axis, const PoolAxis::Taps& first, int32_t further, int32_t column) {
  const PoolAxis::Taps other = axis.taps(column + further);
  return other.count == first.count && other.counted == first.counted &&
         other.start == first.start + further * axis.stride;
}

}  // namespace

// Pixels whose windows have the same taps go to the kernel together.
void PoolRows::run_row(const KernelTable& kernels, const float* in, int32_t in_row, int32_t row,
                       float* out) const {
  const PoolAxis::Taps rows = y.taps(row);
  PoolRow pixels = {};
  pixels.step = static_cast<size_t>(x.stride) * kLanes;
  pixels.right = static_cast<size_t>(x.dilation) * kLanes;
  pixels.down = static_cast<size_t>(y.dilation) * static_cast<size_t>(x.size) * kLanes;
  pixels.average = average;
  for (int32_t column = 0; column < out_w; column += pixels.pixels) {
    const PoolAxis::Taps columns = x.taps(column);
    pixels.pixels = 1;
    while (column + pixels.pixels < out_w && follows(x, columns, pixels.pixels, column)) {
      ++pixels.pixels;
    }
    const bool none = rows.count == 0 || columns.count == 0;
    pixels.rows = none ? 0 : rows.count;
    pixels.columns = columns.count;
    pixels.input =
        none ? in
             : in + (static_cast<size_t>(rows.start - in_row) * static_cast<size_t>(x.size) +
                     static_cast<size_t>(columns.start)) *
                        kLanes;
    const int64_t count =
        include_pad ? int64_t{rows.counted} * columns.counted : int64_t{rows.count} * columns.count;
    pixels.scale = count > 0 ? 1.0f / static_cast<float>(count) : 0.0f;
    pixels.output = out + static_cast<size_t>(column) * kLanes;
    kernels.pool(pixels);
  }
}

PoolRows describe_pool(const Op& op, const Shape& in, const Shape& out) {
  using namespace pool_at;
  const auto axis = [&](uint32_t i) {
    return PoolAxis{in.dims[2 + i],           op.integer(kKernel + i),
                    op.integer(kStrides + i), op.integer(kDilations + i),
                    op.integer(kPads + i),    op.integer(kPads + 2 + i)};
  };
  PoolRows pool;
  pool.y = axis(0);
  pool.x = axis(1);
  pool.out_w = out.dims[3];
  pool.average = static_cast<OpKind>(op.kind) == OpKind::kAvgPool;
  pool.include_pad = pool.average && op.integer(kIncludePad) != 0;
  return pool;
}

namespace {

// An item is one row of one block.
class PoolStep final : public Step {
 public:
  size_t items(size_t) const override { return groups * static_cast<size_t>(out_h); }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const size_t in_plane =
        static_cast<size_t>(pool.y.size) * static_cast<size_t>(pool.x.size) * kLanes;
    const size_t out_row = static_cast<size_t>(pool.out_w) * kLanes;
    for (size_t item = begin; item < end; ++item) {
      const size_t group = item / static_cast<size_t>(out_h);
      const int32_t row = static_cast<int32_t>(item % static_cast<size_t>(out_h));
      const float* in = frame.at(reads[0]) + group * in_plane;
      pool.run_row(*frame.kernels, in, 0, row, frame.at(writes) + item * out_row);
    }
  }

  size_t groups = 0;
  int32_t out_h = 0;
  PoolRows pool;
};

}  // namespace

bool build_pool(Builder& builder, const Op& op) {
  PoolStep* step = new (std::nothrow) PoolStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Shape& in = builder.shape(op.input(0));
  const Shape& out = builder.plan.values[op.output];
  const Pictures pictures = pictures_of(in);
  step->groups = static_cast<size_t>(pictures.images) * static_cast<size_t>(pictures.blocks());
  step->out_h = out.dims[2];
  step->pool = describe_pool(op, in, out);
  const int32_t input = builder.blocked(op.input(0));
  if (input < 0 || !step->reads.push(input)) return false;
  step->writes = builder.make(op, Layout::kBlocked);
  return step->writes >= 0 && builder.add(owned.release());
}

}  // namespace pocketlens
