// concat and slice. Along the channels of blocked pictures both are one thing: every output channel
// is a channel of some input. Along other axes of plain arrays they are copies of runs.
#include <string.h>

#include <new>

#include "base/lanes.h"
#include "plan/ops.h"
#include "run/channels.h"
#include "run/ops.h"
#include "run/strides.h"

namespace pocketlens {
namespace {

// Where an output channel comes from.
struct Source {
  int32_t read;     // which of the step's inputs; -1: a lane beyond the last channel
  int32_t channel;  // of that input
};

// Blocked pictures; an item is a run of pixels of one output block.
class GatherChannels final : public Step {
 public:
  static constexpr size_t kPixels = kChunk / kLanes;

  size_t items(size_t) const override { return images * blocks() * items_per_block(); }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    for (size_t item = begin; item < end; ++item) {
      const size_t group = item / items_per_block();
      const size_t first = item % items_per_block() * kPixels;
      const size_t count = pixels - first < kPixels ? pixels - first : kPixels;
      const Source* from = sources.data() + group % blocks() * kLanes;
      float* out = frame.at(writes) + (group * pixels + first) * kLanes;
      const size_t image = group / blocks();
      const float* lanes[kLanes];
      for (int i = 0; i < kLanes; ++i) lanes[i] = lane(frame, from[i], image, first);
      gather(lanes, whole[group % blocks()] != 0, count, out);
    }
  }

  size_t blocks() const { return sources.size() / kLanes; }
  size_t items_per_block() const { return (pixels + kPixels - 1) / kPixels; }

  size_t images = 0, pixels = 0;
  Array<size_t> read_blocks;  // of each input
  Array<Source> sources;      // one a lane of the output
  Array<uint8_t> whole;       // an output block that is a whole block of an input

 private:
  const float* lane(const Frame& frame, Source source, size_t image, size_t pixel) const {
    if (source.read < 0) return nullptr;
    const size_t block = image * read_blocks[source.read] + source.channel / kLanes;
    return frame.at(reads[source.read]) + (block * pixels + pixel) * kLanes +
           source.channel % kLanes;
  }

  static void gather(const float* const* lanes, bool whole, size_t count, float* out) {
    if (whole) {
      if (out != lanes[0]) memcpy(out, lanes[0], count * kLanes * sizeof(float));
      return;
    }
    const float* from[kLanes];
    for (int i = 0; i < kLanes; ++i) from[i] = lanes[i] != nullptr ? lanes[i] : lanes[0];
    for (size_t p = 0; p < count * kLanes; p += kLanes) {
      for (int i = 0; i < kLanes; ++i) out[p + i] = from[i][p];
    }
  }
};

// Which output blocks are whole blocks of an input.
bool mark_whole(GatherChannels* step) {
  if (!step->whole.reset(step->blocks())) return false;
  for (size_t b = 0; b < step->blocks(); ++b) {
    const Source* from = step->sources.data() + b * kLanes;
    bool whole = from[0].channel % kLanes == 0;
    for (int i = 1; i < kLanes && whole; ++i) {
      whole = from[i].read < 0 ||
              (from[i].read == from[0].read && from[i].channel == from[0].channel + i);
    }
    step->whole[b] = whole ? 1 : 0;
  }
  return true;
}

GatherChannels* new_gather(Builder& builder, const Op& op) {
  GatherChannels* step = new (std::nothrow) GatherChannels;
  if (step == nullptr) return nullptr;
  const Pictures out = pictures_of(builder.plan.values[op.output]);
  step->images = static_cast<size_t>(out.images);
  step->pixels = static_cast<size_t>(out.pixels());
  bool ok = step->sources.reset(static_cast<size_t>(out.blocks()) * kLanes);
  if (ok) {
    for (Source& source : step->sources) source = {-1, 0};
  }
  for (uint32_t i = 0; i < op.input_count && ok; ++i) {
    const int32_t n = builder.blocked(op.input(i));
    const Pictures in = pictures_of(builder.shape(op.input(i)));
    ok = n >= 0 && step->reads.push(n) && step->read_blocks.push(static_cast<size_t>(in.blocks()));
  }
  if (!ok) {
    delete step;
    return nullptr;
  }
  return step;
}

bool finish_gather(Builder& builder, const Op& op, Owned<Step>& owned, GatherChannels* step) {
  if (!mark_whole(step)) return false;
  step->writes = builder.make(op, Layout::kBlocked);
  return step->writes >= 0 && builder.add(owned.release());
}

// Whether all inputs start at whole blocks of the output, so that they may be made there.
bool note_places(Builder& builder, const Op& op, GatherChannels* step) {
  size_t channel = 0;
  step->gathers_blocks = step->images == 1;
  for (uint32_t i = 0; i < op.input_count; ++i) {
    if (channel % kLanes != 0) step->gathers_blocks = false;
    if (!step->block_places.push(channel * step->pixels)) return false;
    channel += static_cast<size_t>(builder.shape(op.input(i)).dims[1]);
  }
  return true;
}

bool build_concat_blocked(Builder& builder, const Op& op) {
  GatherChannels* step = new_gather(builder, op);
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  size_t to = 0;
  for (uint32_t i = 0; i < op.input_count; ++i) {
    for (int32_t c = 0; c < builder.shape(op.input(i)).dims[1]; ++c) {
      step->sources[to++] = {static_cast<int32_t>(i), c};
    }
  }
  return note_places(builder, op, step) && finish_gather(builder, op, owned, step);
}

// Plain arrays: `outer` times, a run of floats from each input. An item is a run of `outer`.
class PlainConcat final : public Step {
 public:
  size_t items(size_t) const override { return (outer + rows_per_item() - 1) / rows_per_item(); }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const size_t last = end * rows_per_item() < outer ? end * rows_per_item() : outer;
    size_t place = 0;
    for (size_t i = 0; i < reads.size(); ++i) {
      const float* in = frame.at(reads[i]);
      for (size_t row = begin * rows_per_item(); row < last; ++row) {
        memcpy(frame.at(writes) + row * total + place, in + row * runs[i], runs[i] * sizeof(float));
      }
      place += runs[i];
    }
  }
  size_t rows_per_item() const { return total >= kChunk ? 1 : kChunk / total; }

  size_t outer = 1, total = 0;
  Array<size_t> runs;
};

bool build_concat_plain(Builder& builder, const Op& op) {
  PlainConcat* step = new (std::nothrow) PlainConcat;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const int32_t axis = op.integer(0);
  const Shape& out = builder.plan.values[op.output];
  for (int32_t i = 0; i < axis; ++i) step->outer *= static_cast<size_t>(out.dims[i]);
  for (uint32_t i = 0; i < op.input_count; ++i) {
    const int32_t input = builder.plain(op.input(i));
    const size_t count = static_cast<size_t>(builder.shape(op.input(i)).elements());
    const size_t run = count / step->outer;
    step->total += run;
    if (input < 0 || !step->reads.push(input) || !step->runs.push(run)) return false;
  }
  step->writes = builder.make(op, Layout::kPlain);
  return step->writes >= 0 && builder.add(owned.release());
}

bool takes_all(const Op& op, const Shape& x, int32_t axis) {
  const uint32_t i = static_cast<uint32_t>(axis);
  return op.integer(slice_at::kSizes + i) == x.dims[axis] && op.integer(slice_at::kSteps + i) == 1;
}

bool build_slice_blocked(Builder& builder, const Op& op) {
  GatherChannels* step = new_gather(builder, op);
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const int32_t start = op.integer(slice_at::kStarts + 1), by = op.integer(slice_at::kSteps + 1);
  for (int32_t c = 0; c < op.integer(slice_at::kSizes + 1); ++c) {
    step->sources[c] = {0, start + c * by};
  }
  return finish_gather(builder, op, owned, step);
}

}  // namespace

bool build_shuffle(Builder& builder, const Op& op, Reference input, int32_t groups) {
  Op seen = op;
  const uint32_t words[] = {input.word};
  seen.words = words;
  seen.input_count = 1;
  GatherChannels* step = new_gather(builder, seen);
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const int32_t channels = builder.shape(input).dims[1], per_group = channels / groups;
  for (int32_t c = 0; c < channels; ++c) {
    step->sources[c] = {0, c % groups * per_group + c / groups};
  }
  return finish_gather(builder, op, owned, step);
}

bool build_concat(Builder& builder, const Op& op) {
  bool blocked = false;
  for (uint32_t i = 0; i < op.input_count; ++i) {
    blocked = blocked || builder.stands_blocked(op.input(i));
  }
  const bool channels = op.integer(0) == 1 && builder.plan.values[op.output].rank == 4;
  return blocked && channels ? build_concat_blocked(builder, op) : build_concat_plain(builder, op);
}

bool build_slice(Builder& builder, const Op& op) {
  const Shape& x = builder.shape(op.input(0));
  const bool channels =
      x.rank == 4 && takes_all(op, x, 0) && takes_all(op, x, 2) && takes_all(op, x, 3);
  if (channels && builder.stands_blocked(op.input(0))) return build_slice_blocked(builder, op);
  int64_t strides[kMaxRank], offset = 0;
  plain_strides(x, strides);
  for (int32_t i = 0; i < x.rank; ++i) {
    const uint32_t at = static_cast<uint32_t>(i);
    offset += op.integer(slice_at::kStarts + at) * strides[i];
    strides[i] *= op.integer(slice_at::kSteps + at);
  }
  return build_strided_copy(builder, op, strides, offset);
}

}  // namespace pocketlens
