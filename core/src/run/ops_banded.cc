// A conv2d, its lrn and its pool as one step, band by band: what is between them is only ever there
// for a few rows, which a cache holds. (AlexNet's first layers; in full their maps would be most of
// the arena.)
#include <new>

#include "plan/ops.h"
#include "run/ops.h"
#include "run/parts.h"

namespace pocketlens {
namespace {

constexpr int64_t kBandFloats = 1 << 18;  // of a band's conv2d, at most: 1 MiB
constexpr int64_t kLargeFloats = 2 * kBandFloats;

// Rows of the conv2d's output.
struct Band {
  int32_t first, rows;
};

// An item is a band: some rows of the pool's output. Rows that two bands need are made twice.
class BandedStep final : public Step {
 public:
  size_t items(size_t) const override {
    return static_cast<size_t>((out_h + pool_rows - 1) / pool_rows);
  }
  size_t scratch_bytes(size_t) const override {
    size_t most = 0;
    for (size_t i = 0; i < items(1); ++i) {
      const size_t bytes = conv.scratch_bytes(*kernels, conv_of(band_of(i)));
      most = bytes > most ? bytes : most;
    }
    const size_t lines = kLrnPixels * norm.line * sizeof(float);
    return band_bytes + (lines > most ? lines : most);
  }
  void run(const Frame& frame, size_t begin, size_t end, void* scratch) const override {
    float* band_floats = static_cast<float*>(scratch);
    void* rest = static_cast<uint8_t*>(scratch) + band_bytes;
    for (size_t item = begin; item < end; ++item) {
      const Band band = band_of(item);
      run_conv(frame, band, band_floats, rest);
      run_norm(frame, band, band_floats, static_cast<float*>(rest));
      run_pool(frame, item, band, band_floats);
    }
  }

  // Once all parts are known: as many rows to a band as kBandFloats takes, evenly.
  void share_out_rows() {
    const int64_t row = int64_t{blocks} * conv.conv.out_w * kLanes;
    const int64_t reach = int64_t{pool.y.dilation} * (pool.y.kernel - 1) + 1;
    const int64_t fit = (kBandFloats / row - reach) / pool.y.stride + 1;
    const int64_t most = fit < 1 ? 1 : fit < out_h ? fit : out_h;
    const int64_t bands = (out_h + most - 1) / most;
    pool_rows = static_cast<int32_t>((out_h + bands - 1) / bands);
    int64_t rows = 0;
    for (size_t i = 0; i < items(1); ++i) {
      rows = band_of(i).rows > rows ? band_of(i).rows : rows;
    }
    band_bytes = static_cast<size_t>(rows * row) * sizeof(float);
  }

  const KernelTable* kernels = nullptr;
  ConvPart conv;
  LrnPixels norm = {};
  PoolRows pool;
  int32_t blocks = 0, out_h = 0;  // of the pool's output
  int32_t pool_rows = 1;          // of an item

 private:
  int32_t end_of(size_t item) const {
    const int64_t end = static_cast<int64_t>(item + 1) * pool_rows;
    return static_cast<int32_t>(end < out_h ? end : out_h);
  }

  // What the windows of an item see. A window that sees no row asks for none.
  Band band_of(size_t item) const {
    int32_t first = pool.y.size, end = 0;
    for (int32_t row = static_cast<int32_t>(item) * pool_rows; row < end_of(item); ++row) {
      const PoolAxis::Taps taps = pool.y.taps(row);
      if (taps.count == 0) continue;
      const int32_t last = taps.start + (taps.count - 1) * pool.y.dilation + 1;
      first = taps.start < first ? taps.start : first;
      end = last > end ? last : end;
    }
    return first < end ? Band{first, end - first} : Band{0, 1};
  }

  Conv2d conv_of(const Band& band) const {
    Conv2d now = conv.conv;
    now.out_h = band.rows;
    now.out_image = floats_of(band) * static_cast<size_t>(blocks);
    return now;
  }

  // Of one block.
  size_t floats_of(const Band& band) const {
    return static_cast<size_t>(band.rows) * static_cast<size_t>(conv.conv.out_w) * kLanes;
  }

  void run_conv(const Frame& frame, const Band& band, float* out, void* scratch) const {
    Conv2d now = conv_of(band);
    const size_t row = static_cast<size_t>(band.first) * static_cast<size_t>(now.stride_h);
    now.input = frame.at(reads[0]) + row * now.in_row / conv.word_values(*kernels);
    now.output = out;
    conv.run(*kernels, now, 0, conv.items(*kernels, now), scratch);
  }

  void run_norm(const Frame& frame, const Band& band, float* pixels, float* squares) const {
    LrnPixels now = norm;
    now.input = now.output = pixels;
    now.block = floats_of(band);
    now.pixels = now.block / kLanes;
    now.squares = squares;
    frame.kernels->lrn(now);
  }

  void run_pool(const Frame& frame, size_t item, const Band& band, const float* in) const {
    const size_t out_row = static_cast<size_t>(pool.out_w) * kLanes;
    for (size_t b = 0; b < static_cast<size_t>(blocks); ++b) {
      float* out = frame.at(writes) + b * static_cast<size_t>(out_h) * out_row;
      for (int32_t row = static_cast<int32_t>(item) * pool_rows; row < end_of(item); ++row) {
        pool.run_row(*frame.kernels, in + b * floats_of(band), band.first, row,
                     out + static_cast<size_t>(row) * out_row);
      }
    }
  }

  size_t band_bytes = 0;
};

}  // namespace

bool build_banded(Builder& builder, const Op& conv, const Op& norm, const Op& pool, bool* built) {
  const Shape& between = builder.plan.values[conv.output];
  const Pictures pictures = pictures_of(between);
  if (pictures.blocks() * pictures.pixels() * kLanes < kLargeFloats) return true;
  BandedStep* step = new (std::nothrow) BandedStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Shape& out = builder.plan.values[pool.output];
  step->kernels = &builder.kernels;
  if (!make_conv(builder, conv, conv.input(0), &step->conv)) return false;
  step->norm = describe_lrn(norm, pictures);
  step->pool = describe_pool(pool, between, out);
  step->blocks = static_cast<int32_t>(pictures.blocks());
  step->out_h = out.dims[2];
  step->share_out_rows();
  if (!step->reads.push(step->conv.input)) return false;
  step->writes = builder.make(pool, Layout::kBlocked);
  *built = true;
  return step->writes >= 0 && builder.add(owned.release());
}

}  // namespace pocketlens
