// softmax, layer_norm, lrn and grouped_lrn.
#include <math.h>
#include <string.h>

#include <new>

#include "plan/ops.h"
#include "run/ops.h"
#include "run/parts.h"

namespace pocketlens {
namespace {

// exp(x - largest) / sum, or x - largest - log(sum), along an axis of `size` places that are
// `inner` floats apart. An item is a run of `outer`.
class SoftmaxStep final : public Step {
 public:
  size_t items(size_t images) const override {
    return (outer * images + outer_per_item() - 1) / outer_per_item();
  }
  bool is_by_rows() const override { return true; }
  size_t scratch_bytes(size_t) const override { return by_rows() ? 0 : 2 * inner * sizeof(float); }
  void run(const Frame& frame, size_t begin, size_t end, void* scratch) const override {
    const size_t all = outer * frame.images;
    const size_t last = end * outer_per_item() < all ? end * outer_per_item() : all;
    for (size_t i = begin * outer_per_item(); i < last; ++i) {
      const float* in = frame.at(reads[0]) + i * size * inner;
      float* out = frame.at(writes) + i * size * inner;
      if (by_rows()) {
        frame.kernels->softmax(in, out, size);
      } else {
        columns(*frame.kernels, in, out, static_cast<float*>(scratch));
      }
    }
  }
  size_t outer_per_item() const { return size * inner >= kChunk ? 1 : kChunk / (size * inner); }

  size_t outer = 1, size = 1, inner = 1;
  bool log = false;

 private:
  static constexpr Activation kExp = {kExpActivation, 0, 0};

  bool by_rows() const { return inner == 1 && !log; }

  void columns(const KernelTable& kernels, const float* in, float* out, float* scratch) const {
    float* largest = scratch;
    float* sum = scratch + inner;
    memcpy(largest, in, inner * sizeof(float));
    for (size_t i = 1; i < size; ++i) {
      const float* line = in + i * inner;
      for (size_t k = 0; k < inner; ++k) largest[k] = line[k] > largest[k] ? line[k] : largest[k];
    }
    memset(sum, 0, inner * sizeof(float));
    for (size_t i = 0; i < size; ++i) {
      float* line = out + i * inner;
      for (size_t k = 0; k < inner; ++k) line[k] = in[i * inner + k] - largest[k];
      kernels.activate(line, line, inner, kExp);
      for (size_t k = 0; k < inner; ++k) sum[k] += line[k];
    }
    for (size_t k = 0; k < inner; ++k) sum[k] = log ? logf(sum[k]) : 1.0f / sum[k];
    for (size_t i = 0; i < size; ++i) {
      const float* from = in + i * inner;
      float* line = out + i * inner;
      for (size_t k = 0; k < inner; ++k) {
        line[k] = log ? (from[k] - largest[k]) - sum[k] : line[k] * sum[k];
      }
    }
  }
};

// (x - mean) / sqrt(variance + epsilon) * scale + bias over rows of plain arrays, or over the
// channels of each pixel of blocked pictures. (Ba, Kiros, Hinton: Layer Normalization, 2016.) An
// item is a run of rows, of one picture.
class LayerNormStep final : public Step {
 public:
  size_t items(size_t images) const override { return pictures * items_per_picture(images); }
  bool is_by_rows() const override { return !blocked; }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const size_t per_picture = items_per_picture(frame.images);
    const size_t rows = norm.rows * frame.images;
    NormRows now = norm;
    now.scale = scale_at < 0 ? nullptr : frame.at(scale_at);
    now.bias = bias_at < 0 ? nullptr : frame.at(bias_at);
    for (size_t item = begin; item < end; ++item) {
      const size_t first = item % per_picture * rows_per_item();
      const size_t place = item / per_picture * picture + first * norm.row;
      now.rows = rows - first < rows_per_item() ? rows - first : rows_per_item();
      now.input = frame.at(reads[0]) + place;
      now.output = frame.at(writes) + place;
      frame.kernels->normalize(now);
    }
  }

  NormRows norm = {};  // rows: of a picture
  bool blocked = false;
  size_t pictures = 1, picture = 0;  // how many, and the floats of each
  int32_t scale_at = -1, bias_at = -1;

 private:
  size_t rows_per_item() const { return norm.size >= kChunk ? 1 : kChunk / norm.size; }
  size_t items_per_picture(size_t images) const {
    return (norm.rows * images + rows_per_item() - 1) / rows_per_item();
  }
};

// `norm` over a buffer that holds `input`, written as the output of `op`.
bool finish_norm(Builder& builder, const Op& op, Reference input, const Op& norm,
                 Owned<Step>& owned, LayerNormStep* step) {
  const Layout layout = step->blocked ? Layout::kBlocked : Layout::kPlain;
  step->norm.epsilon = norm.number(1);
  for (uint32_t i = 0; i < 3; ++i) {
    const Reference read = i == 0 ? input : norm.input(i);
    if (read.absent()) continue;
    const int32_t n = i == 0 ? builder.use(read, Form{layout, {}}) : builder.plain(read);
    if (n < 0 || !step->reads.push(n)) return false;
    (i == 0 ? step->in_place : i == 1 ? step->scale_at : step->bias_at) = n;
  }
  step->writes = builder.make(op, layout);
  return step->writes >= 0 && builder.add(owned.release());
}

// x / (bias + alpha / size * sum of squares of `size` channels around it)^beta, on blocked
// pictures; lrn is grouped_lrn of one group. (Krizhevsky, Sutskever, Hinton 2012, section 3.3.) An
// item is a run of pixels of one image.
class LrnStep final : public Step {
 public:
  static constexpr size_t kPixels = 256;

  size_t items(size_t) const override { return images * items_per_image(); }
  size_t scratch_bytes(size_t) const override { return kLrnPixels * lrn.line * sizeof(float); }
  void run(const Frame& frame, size_t begin, size_t end, void* scratch) const override {
    LrnPixels now = lrn;
    now.squares = static_cast<float*>(scratch);
    for (size_t item = begin; item < end; ++item) {
      const size_t first = item % items_per_image() * kPixels;
      const size_t at = (item / items_per_image() * blocks * pixels + first) * kLanes;
      now.pixels = pixels - first < kPixels ? pixels - first : kPixels;
      now.input = frame.at(reads[0]) + at;
      now.output = frame.at(writes) + at;
      frame.kernels->lrn(now);
    }
  }

  size_t images = 0, blocks = 0, pixels = 0;
  LrnPixels lrn = {};

 private:
  size_t items_per_image() const { return (pixels + kPixels - 1) / kPixels; }
};

}  // namespace

LrnPixels describe_lrn(const Op& op, const Pictures& p) {
  using namespace lrn_at;
  const bool grouped = static_cast<OpKind>(op.kind) == OpKind::kGroupedLrn;
  const size_t size = static_cast<size_t>(op.integer(kSize));
  LrnPixels lrn = {};
  lrn.block = static_cast<size_t>(p.pixels()) * kLanes;
  lrn.channels = static_cast<size_t>(p.channels);
  lrn.group = lrn.channels / static_cast<size_t>(grouped ? op.integer(kGroups) : 1);
  // More neighbours than there are do not matter.
  const auto least = [&](size_t reach) { return reach < lrn.group ? reach : lrn.group - 1; };
  lrn.before = least((size - 1) / 2);
  lrn.after = least(size / 2);
  lrn.scale = op.number(kAlpha) / static_cast<float>(size);
  lrn.beta = op.number(kBeta);
  lrn.bias = op.number(kBias);
  lrn.line = lrn_line(lrn.channels, lrn.group, lrn.before, lrn.after);
  return lrn;
}

bool build_softmax(Builder& builder, const Op& op) {
  SoftmaxStep* step = new (std::nothrow) SoftmaxStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Shape& x = builder.shape(op.input(0));
  const int32_t axis = op.integer(0);
  for (int32_t i = 0; i < axis; ++i) step->outer *= static_cast<size_t>(x.dims[i]);
  step->size = static_cast<size_t>(x.dims[axis]);
  for (int32_t i = axis + 1; i < x.rank; ++i) step->inner *= static_cast<size_t>(x.dims[i]);
  step->log = op.integer(1) != 0;
  const int32_t input = builder.plain(op.input(0));
  if (input < 0 || !step->reads.push(input)) return false;
  if (!step->log) step->in_place = input;  // a logarithm needs what was read once more
  step->writes = builder.make(op, Layout::kPlain);
  return step->writes >= 0 && builder.add(owned.release());
}

bool build_layer_norm(Builder& builder, const Op& op) {
  LayerNormStep* step = new (std::nothrow) LayerNormStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Shape& x = builder.shape(op.input(0));
  const int32_t axis = op.integer(0);
  NormRows& norm = step->norm;
  norm.rows = norm.size = 1;
  for (int32_t i = 0; i < axis; ++i) norm.rows *= static_cast<size_t>(x.dims[i]);
  for (int32_t i = axis; i < x.rank; ++i) norm.size *= static_cast<size_t>(x.dims[i]);
  norm.row = norm.size;
  norm.block = kLanes;
  return finish_norm(builder, op, op.input(0), op, owned, step);
}

bool build_channel_norm(Builder& builder, const Op& op, Reference input, const Op& norm) {
  LayerNormStep* step = new (std::nothrow) LayerNormStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Pictures p = pictures_of(builder.shape(input));
  const size_t pixels = static_cast<size_t>(p.pixels());
  step->blocked = true;
  step->pictures = static_cast<size_t>(p.images);
  step->picture = static_cast<size_t>(p.blocks()) * pixels * kLanes;
  step->norm.rows = pixels;
  step->norm.size = static_cast<size_t>(p.channels);
  step->norm.row = kLanes;
  step->norm.block = pixels * kLanes;
  return finish_norm(builder, op, input, norm, owned, step);
}

bool build_lrn(Builder& builder, const Op& op) {
  LrnStep* step = new (std::nothrow) LrnStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Pictures p = pictures_of(builder.shape(op.input(0)));
  step->images = static_cast<size_t>(p.images);
  step->blocks = static_cast<size_t>(p.blocks());
  step->pixels = static_cast<size_t>(p.pixels());
  step->lrn = describe_lrn(op, p);
  const int32_t input = builder.blocked(op.input(0));
  if (input < 0 || !step->reads.push(input)) return false;
  step->in_place = input;  // a pixel's squares are kept before it is overwritten
  step->writes = builder.make(op, Layout::kBlocked);
  return step->writes >= 0 && builder.add(owned.release());
}

}  // namespace pocketlens
