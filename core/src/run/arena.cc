// Greedy by size: the largest buffer first, each at the lowest place that is free as long as it
// lives. (Y. Pisarchyk, J. Lee: Efficient Memory Management for Deep Neural Net Inference, 2020,
// section 5, "greedy by size for offset calculation".)
#include "run/arena.h"

#include "base/sort.h"
#include "run/places.h"

namespace pocketlens {
namespace {

constexpr uint64_t kMaxFloats = uint64_t{1} << 31;  // 8 GiB

// Roots may be chained while buffers are merged; this follows and shortens them.
int32_t root_of(Array<Buffer>& buffers, int32_t n) {
  while (buffers[buffers[n].root].root != buffers[n].root) {
    const Buffer& up = buffers[buffers[n].root];
    buffers[n].offset += up.offset;
    buffers[n].root = up.root;
  }
  return buffers[n].root;
}

void touch(Array<Buffer>& buffers, int32_t n, int32_t step) {
  Buffer& root = buffers[root_of(buffers, n)];
  if (root.first < 0) root.first = step;
  root.last = step;
}

void find_lives(Builder* builder) {
  Array<Buffer>& buffers = builder->buffers;
  for (Buffer& buffer : buffers) buffer.first = buffer.last = -1;
  for (size_t i = 0; i < builder->steps.size(); ++i) {
    const Step& step = *builder->steps[i];
    for (const int32_t n : step.reads) touch(buffers, n, static_cast<int32_t>(i));
    touch(buffers, step.writes, static_cast<int32_t>(i));
  }
  for (const uint32_t value : builder->plan.outputs) {
    touch(buffers, builder->plain(Reference{value}), static_cast<int32_t>(builder->steps.size()));
  }
}

// Puts `child`'s memory into `parent`'s at `offset`.
void merge(Array<Buffer>& buffers, int32_t child, int32_t parent, uint64_t offset) {
  Buffer& c = buffers[child];
  Buffer& p = buffers[parent];
  c.root = parent;
  c.offset = offset;
  if (c.first >= 0 && (p.first < 0 || c.first < p.first)) p.first = c.first;
  if (c.last > p.last) p.last = c.last;
}

// What a concat reads is made where the concat would put it.
void merge_concats(Builder* builder) {
  Array<Buffer>& buffers = builder->buffers;
  for (const Owned<Step>& step : builder->steps) {
    if (!step->gathers_blocks) continue;
    const int32_t whole = root_of(buffers, step->writes);
    const uint64_t start = buffers[step->writes].offset;
    for (size_t i = 0; i < step->reads.size(); ++i) {
      const int32_t part = step->reads[i];
      const bool own = root_of(buffers, part) == part && part != whole;
      if (!own || buffers[part].place != Place::kArena) continue;
      merge(buffers, part, whole, start + step->block_places[i]);
    }
  }
}

// Whether the step reads other parts of the memory that it would overwrite.
bool reads_elsewhere(Array<Buffer>& buffers, const Step& step) {
  const int32_t root = root_of(buffers, step.in_place);
  for (const int32_t n : step.reads) {
    if (root_of(buffers, n) != root) continue;
    if (buffers[n].offset != buffers[step.in_place].offset) return true;
    if (buffers[n].floats != buffers[step.in_place].floats) return true;
  }
  return false;
}

// What is read for the last time gives its place to what is made of it.
void merge_in_place(Builder* builder) {
  Array<Buffer>& buffers = builder->buffers;
  for (size_t i = 0; i < builder->steps.size(); ++i) {
    const Step& step = *builder->steps[i];
    if (step.in_place < 0) continue;
    const int32_t from = root_of(buffers, step.in_place), to = root_of(buffers, step.writes);
    const bool dies = buffers[from].last == static_cast<int32_t>(i);
    const bool own = to == step.writes && from != to;
    if (!dies || !own || buffers[from].place != Place::kArena) continue;
    if (buffers[step.writes].floats != buffers[step.in_place].floats) continue;
    if (reads_elsewhere(buffers, step)) continue;
    merge(buffers, to, from, buffers[step.in_place].offset);
  }
}

struct Sized {
  uint64_t floats;
  int32_t number;
};

bool by_size(const Sized& x, const Sized& y) {
  return x.floats != y.floats ? x.floats > y.floats : x.number < y.number;
}

Status place_all(Array<Buffer>& buffers, ArenaSizes* sizes) {
  Array<Sized> order;
  for (size_t i = 0; i < buffers.size(); ++i) {
    const int32_t n = static_cast<int32_t>(i);
    if (root_of(buffers, n) != n || buffers[i].place == Place::kInput) continue;
    if (buffers[i].place == Place::kConstant) {
      buffers[i].at = sizes->constant_floats;
      sizes->constant_floats += buffers[i].floats;
    } else if (buffers[i].first >= 0 && !order.push(Sized{buffers[i].floats, n})) {
      return fail(Code::kNoMemory);
    }
  }
  sort_items(order.data(), order.size(), by_size);
  Places places;
  for (const Sized& sized : order) {
    Buffer& buffer = buffers[sized.number];
    buffer.at = places.lowest(buffer.floats, buffer.first, buffer.last);
    const uint64_t end = buffer.at + buffer.floats;
    if (end > sizes->arena_floats) sizes->arena_floats = end;
    const Placed placed = {buffer.at, end, buffer.first, buffer.last};
    if (!places.add(placed)) return fail(Code::kNoMemory);
  }
  if (sizes->arena_floats > kMaxFloats || sizes->constant_floats > kMaxFloats) {
    return fail(Code::kTooLarge, sizes->arena_floats * sizeof(float), kMaxFloats * sizeof(float));
  }
  return {};
}

}  // namespace

Status lay_arena(Builder* builder, ArenaSizes* sizes) {
  find_lives(builder);
  merge_concats(builder);
  merge_in_place(builder);
  return place_all(builder->buffers, sizes);
}

}  // namespace pocketlens
