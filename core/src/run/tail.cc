// Finding the tail (run/tail.h).
#include "run/tail.h"

namespace pocketlens {
namespace {

constexpr size_t kMostImages = 16;
constexpr size_t kMostFloats = size_t{1} << 19;  // 2 MiB of rows

// What the tail makes that buffer `n` is, under whatever shape; -1: the tail does not make it.
int32_t made_as(const Builder& builder, const Array<uint8_t>& written, int32_t n) {
  while (n >= 0 && !written[n]) n = builder.buffers[n].alias_of;
  return n;
}

bool is_plain(const Buffer& buffer) {
  return buffer.form.layout == Layout::kPlain && buffer.place != Place::kConstant;
}

size_t elements_of(const Buffer& buffer) { return static_cast<size_t>(buffer.shape.elements()); }

// The last steps that work by rows; a tail without a linear is not worth its memory.
size_t first_by_rows(const Builder& builder) {
  size_t first = builder.steps.size();
  while (first > 0 && builder.steps[first - 1]->is_by_rows()) --first;
  return first;
}

bool has_linear(const Builder& builder, size_t first) {
  for (size_t i = first; i < builder.steps.size(); ++i) {
    if (builder.steps[i]->decodes_weights()) return true;
  }
  return false;
}

}  // namespace

Status Tail::find(const Builder& builder, const Array<float*>& places) {
  first_step = first_by_rows(builder);
  images = 0;
  if (!has_linear(builder, first_step)) return {};
  Array<uint8_t> written;
  Array<int64_t> starts;  // of the rows of a buffer; -1: it is none of the tail's
  if (!written.reset(places.size()) || !starts.reset(places.size()) ||
      !made_in.reset(places.size()) || !buffers.reset(places.size())) {
    return fail(Code::kNoMemory);
  }
  for (size_t i = first_step; i < builder.steps.size(); ++i) {
    written[builder.steps[i]->writes] = 1;
  }
  for (size_t n = 0; n < places.size(); ++n) {
    starts[n] = -1;
    made_in[n] = made_as(builder, written, static_cast<int32_t>(n));
  }
  size_t floats = 0;
  for (size_t i = first_step; i < builder.steps.size(); ++i) {
    const Step& step = *builder.steps[i];
    const int32_t made = made_in[step.reads[0]];
    for (const int32_t n : {made >= 0 ? made : step.reads[0], step.writes}) {
      if (!is_plain(builder.buffers[n])) return {};
      if (starts[n] >= 0) continue;
      starts[n] = static_cast<int64_t>(floats);
      floats += round_up(elements_of(builder.buffers[n]), kLanes);
      const bool entry = made_in[n] < 0;
      if (entry && !entries.push(Entry{n, elements_of(builder.buffers[n]), nullptr})) {
        return fail(Code::kNoMemory);
      }
    }
  }
  return place(places, starts, floats);
}

Status Tail::place(const Array<float*>& places, const Array<int64_t>& starts, size_t floats) {
  const size_t most = kMostFloats / floats < kMostImages ? kMostFloats / floats : kMostImages;
  if (most < 2) return {};
  if (!rows.reset(floats * most * sizeof(float))) return fail(Code::kNoMemory);
  for (size_t n = 0; n < places.size(); ++n) {
    const int64_t start = starts[made_in[n] >= 0 ? static_cast<size_t>(made_in[n]) : n];
    buffers[n] = start >= 0 ? rows.floats() + static_cast<size_t>(start) * most : places[n];
  }
  for (Entry& entry : entries) entry.rows = buffers[entry.buffer];
  images = most;
  return {};
}

}  // namespace pocketlens
