// The weights of a conv2d, block by block of panels, as the micro-kernel wants them in scratch:
// [word of inputs][panels * 16] (words-inl.h).
//
// Where the outputs of a panel are all of one group and the group's channels begin a block of 16,
// a panel is decoded as it stands. Otherwise it is expanded: written out over all channel blocks
// that any of its outputs reads, with zeros where an output does not read a channel. That wastes
// work on narrow groups but runs them at the speed of a dense conv2d of 16 channels. (A zero does
// not hide an infinity: where one group's input is infinite or not a number, its neighbours within
// a block become not a number.)
#ifndef POCKETLENS_KERNELS_CONV_PANELS_INL_H
#define POCKETLENS_KERNELS_CONV_PANELS_INL_H

#include "kernels/decode_words-inl.h"
#include "kernels/tile-inl.h"

namespace pocketlens {
namespace {

// Weights in scratch at one time, when whole channel blocks allow it.
constexpr int32_t kSliceBytes = 256 << 10;

struct PanelBlocks {
  bool expanded;
  int32_t count;
  int32_t group_panels;  // panels of a group that stand together (direct)
  int32_t group_blocks;  // blocks these are cut into, evenly
};

struct PanelBlock {
  int32_t first_panel, panels;
  int32_t first_channel, channels;  // the first is a multiple of 16
};

PanelBlocks panel_blocks(const Conv2d& conv) {
  const int32_t outputs = conv.outputs / conv.groups, channels = conv.channels / conv.groups;
  if (conv.groups > 1 && (outputs % kLanes || channels % kLanes)) {
    return {true, ceil_div(conv.outputs, kLanes), 1, 1};
  }
  const int32_t panels = ceil_div(outputs, kLanes), blocks = ceil_div(panels, kMaxPanels);
  return {false, blocks * conv.groups, panels, blocks};
}

PanelBlock expanded_block(const Conv2d& conv, int32_t panel) {
  const int32_t outputs = conv.outputs / conv.groups, channels = conv.channels / conv.groups;
  const int32_t first_output = panel * kLanes;
  const int32_t last_output = least(first_output + kLanes, conv.outputs) - 1;
  const int32_t begin = first_output / outputs * channels / kLanes * kLanes;
  return {panel, 1, begin, (last_output / outputs + 1) * channels - begin};
}

PanelBlock panel_block(const Conv2d& conv, const PanelBlocks& blocks, int32_t number) {
  if (blocks.expanded) return expanded_block(conv, number);
  const int32_t group = number / blocks.group_blocks, within = number % blocks.group_blocks;
  const int32_t begin = blocks.group_panels * within / blocks.group_blocks;
  const int32_t end = blocks.group_panels * (within + 1) / blocks.group_blocks;
  const int32_t channels = conv.channels / conv.groups;
  return {group * blocks.group_panels + begin, end - begin, group * channels, channels};
}

// Channel blocks of a slice of `panels` panels.
int32_t slice_blocks(const Conv2d& conv, int32_t panels) {
  const int32_t taps = conv.kernel_h * conv.kernel_w;
  const int64_t block_bytes =
      (int64_t)taps * kLanes / kWordInputs * panels * kLanes * (int32_t)sizeof(float);
  return most(1, (int32_t)(kSliceBytes / block_bytes));
}

// The weights of the channel blocks [first, first + blocks), [k][columns], times their channel's
// factor.
void scale_slice(const Conv2d& conv, int32_t first, int32_t blocks, int32_t columns, float* out) {
  const int32_t taps = conv.kernel_h * conv.kernel_w;
  for (int32_t b = first; b < first + blocks; ++b) {
    const int32_t channels = least(kLanes, conv.channels - b * kLanes);
    for (int32_t i = 0; i < taps * channels; ++i, out += columns) {
      const V factor = splat(conv.input_scale[b * kLanes + i % channels]);
      for (int32_t k = 0; k < columns; k += kWidth) store(out + k, load(out + k) * factor);
    }
  }
}

// The runs of inputs of one row of a window in a block of which `channels` are read.
Runs runs_of(const Conv2d& conv, int32_t channels) {
  const bool whole = (size_t)channels == conv.in_pixel && conv.dilation_w == 1;
  return whole ? Runs{1, conv.kernel_w * channels} : Runs{conv.kernel_w, channels};
}

int32_t words_of(int32_t inputs) { return ceil_div(inputs, kWordInputs); }

// Words of inputs of a window in a block of which `channels` are read.
int32_t window_words(const Conv2d& conv, int32_t channels) {
  const Runs runs = runs_of(conv, channels);
  return conv.kernel_h * runs.count * words_of(runs.length);
}

// Of a window in `channels` channels from the first of a block on.
int32_t slice_words(const Conv2d& conv, int32_t channels) {
  const int32_t rest = channels % kLanes;
  return channels / kLanes * window_words(conv, kLanes) + (rest ? window_words(conv, rest) : 0);
}

// The inputs of a block of `channels`, decoded to rows [k][16], to words, run by run.
void pack_runs(const Conv2d& conv, int32_t channels, const float* rows, float* out,
               size_t columns) {
  const Runs runs = runs_of(conv, channels);
  for (int32_t i = 0; i < conv.kernel_h * runs.count; ++i) {
    pack_words(rows, runs.length, out, columns);
    rows += runs.length * kLanes;
    out += (size_t)words_of(runs.length) * columns;
  }
}

// A panel of a slice by way of floats in `aside`: runs that do not fill their words, or factors of
// the channels, which are multiplied in before anything is rounded.
void decode_runs(const Conv2d& conv, const PanelBlock& block, int32_t panel, int32_t first,
                 int32_t blocks, float* aside, float* out) {
  const int32_t taps = conv.kernel_h * conv.kernel_w;
  const size_t columns = (size_t)block.panels * kLanes;
  for (int32_t b = first; b < first + blocks; ++b) {
    const int32_t channels = least(kLanes, block.channels - b * kLanes);
    const int32_t begin = b * taps * kLanes;
    decode(conv.weights, panel, begin, begin + taps * channels, aside, kLanes);
    if (conv.input_scale) scale_slice(conv, b, 1, kLanes, aside);
    pack_runs(conv, channels, aside, out, columns);
    out += (size_t)window_words(conv, channels) * columns;
  }
}

void decode_slice(const Conv2d& conv, const PanelBlock& block, int32_t first, int32_t blocks,
                  float* out) {
  const int32_t step = conv.kernel_h * conv.kernel_w * kLanes;
  const int32_t begin = first * step, columns = block.panels * kLanes;
  const int32_t end = least((first + blocks) * step, conv.weights.depth);
  const int32_t channels = least(blocks * kLanes, block.channels - first * kLanes);
  const int32_t words = slice_words(conv, channels);
  const bool by_runs =
      kWordInputs > 1 && (words * kWordInputs > end - begin || conv.input_scale != nullptr);
  for (int32_t i = 0; i < block.panels; ++i) {
    const int32_t panel = block.first_panel + i;
    float* to = out + i * kLanes;
    if (by_runs) {
      decode_runs(conv, block, panel, first, blocks, out + words * columns, to);
    } else {
      decode_words(conv.weights, panel, begin, end, to, (size_t)columns);
    }
  }
  if (conv.input_scale && !by_runs) scale_slice(conv, first, blocks, columns, out);
}

// Where channel c of a group's own stands among its k, and how far it is from tap to tap.
struct ChannelPlace {
  int32_t first, step;
};

ChannelPlace channel_place(int32_t channel, int32_t channels, int32_t taps) {
  const int32_t before = channel / kLanes * kLanes;
  return {before * taps + channel % kLanes, least(kLanes, channels - before)};
}

// Column `lane` of the panel, decoded to `panel`, goes to its channels' rows of `out`.
void expand_output(const Conv2d& conv, const PanelBlock& block, int32_t lane, const float* panel,
                   float* out) {
  const int32_t channels = conv.channels / conv.groups, taps = conv.kernel_h * conv.kernel_w;
  const int32_t output = block.first_panel * kLanes + lane;
  const int32_t group = output / (conv.outputs / conv.groups);
  const int32_t shift = group * channels - block.first_channel;
  for (int32_t c = 0; c < channels; ++c) {
    const ChannelPlace from = channel_place(c, channels, taps);
    const ChannelPlace to = channel_place(c + shift, block.channels, taps);
    for (int32_t tap = 0; tap < taps; ++tap) {
      out[(size_t)(to.first + tap * to.step) * kLanes + (size_t)lane] =
          panel[(size_t)(from.first + tap * from.step) * kLanes + (size_t)lane];
    }
  }
}

size_t expanded_floats(const Conv2d& conv, const PanelBlock& block) {
  return (size_t)(block.channels * conv.kernel_h * conv.kernel_w) * kLanes;
}

void expand_panel(const Conv2d& conv, const PanelBlock& block, float* out) {
  const size_t floats = expanded_floats(conv, block);
  float* panel = out + floats;
  decode(conv.weights, block.first_panel, 0, conv.weights.depth, panel, kLanes);
  memset(out, 0, floats * sizeof(float));
  const int32_t lanes = least(kLanes, conv.outputs - block.first_panel * kLanes);
  for (int32_t lane = 0; lane < lanes; ++lane) expand_output(conv, block, lane, panel, out);
}

void decode_expanded(const Conv2d& conv, const PanelBlock& block, float* out) {
  if constexpr (kWordInputs == 1) return expand_panel(conv, block, out);
  const int32_t taps = conv.kernel_h * conv.kernel_w;
  const size_t block_words = (size_t)window_words(conv, kLanes) * kLanes;
  float* rows = out + (size_t)slice_words(conv, block.channels) * kLanes;
  expand_panel(conv, block, rows);
  for (int32_t b = 0; b < ceil_div(block.channels, kLanes); ++b, out += block_words) {
    pack_runs(conv, least(kLanes, block.channels - b * kLanes), rows, out, kLanes);
    rows += taps * kLanes * kLanes;
  }
}

// Scratch of one panel block: its words, and what decoding takes beyond them.
size_t block_scratch_floats(const Conv2d& conv, const PanelBlocks& blocks,
                            const PanelBlock& block) {
  const int32_t taps = conv.kernel_h * conv.kernel_w;
  const size_t columns = (size_t)block.panels * kLanes;
  if (blocks.expanded) {
    const size_t words = kWordInputs > 1 ? (size_t)slice_words(conv, block.channels) * columns : 0;
    return words + (size_t)conv.weights.depth * kLanes + expanded_floats(conv, block);
  }
  const int32_t channels = least(slice_blocks(conv, block.panels) * kLanes, block.channels);
  const size_t aside = kWordInputs > 1 ? (size_t)taps * kLanes * kLanes : 0;
  return (size_t)slice_words(conv, channels) * columns + aside;
}

size_t panel_scratch_floats(const Conv2d& conv, const PanelBlocks& blocks) {
  size_t largest = 0;
  for (int32_t i = 0; i < blocks.count; ++i) {
    const size_t floats = block_scratch_floats(conv, blocks, panel_block(conv, blocks, i));
    largest = floats > largest ? floats : largest;
  }
  return largest;
}

}  // namespace
}  // namespace pocketlens

#endif
