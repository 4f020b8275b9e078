// Opening and running (run/lens.h). Nothing is allocated after open() but what feed() needs for
// panels that are not complete yet.
#include "run/lens.h"

#include <string.h>

#include "run/arena.h"
#include "run/ops.h"

namespace pocketlens {
namespace {

uint64_t packed_bytes_of(const Plan& plan) {
  uint64_t bytes = 0;
  for (const Tensor& tensor : plan.tensors) {
    bytes += tensor.data_bytes;
    if (tensor.kind != TensorKind::kPalette) continue;
    bytes += divide_up(static_cast<uint64_t>(tensor.shape.elements()) * tensor.bits, 8);
  }
  return bytes;
}

}  // namespace

Status Lens::open(const uint8_t* bytes, size_t size, uint32_t threads) {
  Plan plan;
  Status status = read_plan(bytes, size, &plan);
  if (!status.ok()) return status;
  if (!weights_.make(kernels_)) return fail(Code::kNoMemory);
  status = weights_->open(plan);
  return status.ok() ? build(plan, threads) : status;
}

Status Lens::open_beside(const Lens& other, const uint8_t* bytes, size_t size, uint32_t threads) {
  Plan plan;
  Status status = read_plan(bytes, size, &plan);
  if (status.ok()) status = other.weights_->fit(plan);
  if (!status.ok()) return status;
  weights_ = other.weights_;
  return build(plan, threads);
}

Status Lens::build(const Plan& plan, uint32_t threads) {
  Builder builder(plan, kernels_, &*weights_);
  Status status = builder.build();
  if (status.ok()) status = place_buffers(&builder);
  if (status.ok()) status = fill_constants(&builder);
  if (status.ok()) status = tail_.find(builder, buffers_);
  if (!status.ok()) return status;
  packed_bytes_ = packed_bytes_of(plan);
  bias_bytes_ = builder.bias_bytes;
  if (!note_ends(plan, &builder)) return fail(Code::kNoMemory);
  steps_ = std::move(builder.steps);
  return pool_.start(threads, scratch_bytes()) ? Status{} : fail(Code::kNoMemory, threads);
}

// More images do not always need more: rows are shared out anew for each number of them.
size_t Lens::scratch_bytes() const {
  size_t most = 0;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const size_t at_once = i < tail_.first_step || tail_.images == 0 ? 1 : tail_.images;
    for (size_t images = 1; images <= at_once; ++images) {
      const size_t needed = steps_[i]->scratch_bytes(images);
      most = needed > most ? needed : most;
    }
  }
  return most;
}

Status Lens::place_buffers(Builder* builder) {
  ArenaSizes sizes;
  const Status status = lay_arena(builder, &sizes);
  if (!status.ok()) return status;
  if (!arena_.reset(sizes.arena_floats * sizeof(float)) ||
      !constants_.reset(sizes.constant_floats * sizeof(float)) ||
      !buffers_.reset(builder->buffers.size())) {
    return fail(Code::kNoMemory, sizes.arena_floats * sizeof(float));
  }
  for (size_t i = 0; i < buffers_.size(); ++i) {
    const Buffer& buffer = builder->buffers[i];
    const Buffer& root = builder->buffers[buffer.root];
    if (root.place == Place::kInput) {
      const InputUse use{static_cast<int32_t>(i), root.input, buffer.offset};
      if (!input_uses_.push(use)) return fail(Code::kNoMemory);
    } else {
      float* base = root.place == Place::kArena ? arena_.floats() : constants_.floats();
      buffers_[i] = base + root.at + buffer.offset;
    }
  }
  return {};
}

// Constants as plain arrays, then those that are wanted in another form.
Status Lens::fill_constants(Builder* builder) {
  for (size_t t = 0; t < builder->tensor_buffers.size(); ++t) {
    // The plain form is the last of the list: it was there first.
    int32_t n = builder->tensor_buffers[t];
    while (n >= 0 && builder->buffers[n].next >= 0) n = builder->buffers[n].next;
    if (n >= 0) read_values(builder->plan.tensors[t], buffers_[n]);
  }
  const Frame frame{buffers_.data(), &kernels_, 1};
  for (const Owned<Step>& step : builder->constant_steps) {
    step->run(frame, 0, step->items(1), nullptr);
  }
  return {};
}

bool Lens::note_ends(const Plan& plan, Builder* builder) {
  if (!input_floats_.reset(plan.inputs.size()) || !outputs_.reset(plan.outputs.size())) {
    return false;
  }
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    input_floats_[i] = static_cast<size_t>(plan.values[plan.inputs[i]].elements());
  }
  for (size_t i = 0; i < plan.outputs.size(); ++i) {
    outputs_[i].buffer = builder->plain(Reference{plan.outputs[i]});
    outputs_[i].floats = static_cast<size_t>(plan.values[plan.outputs[i]].elements());
  }
  return true;
}

void Lens::set_inputs(size_t image, const float* const* inputs) {
  for (const InputUse& use : input_uses_) {
    // Steps only read what is an input's.
    buffers_[use.buffer] =
        const_cast<float*>(inputs[use.input]) + image * input_floats_[use.input] + use.offset;
  }
}

void Lens::run_steps(size_t first, size_t last, const Frame& frame) {
  for (size_t i = first; i < last; ++i) pool_.run(*steps_[i], frame);
}

void Lens::copy_outputs(size_t image, float* const* outputs) {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const size_t floats = outputs_[i].floats;
    memcpy(outputs[i] + image * floats, buffers_[outputs_[i].buffer], floats * sizeof(float));
  }
}

void Lens::copy_rows(size_t image, size_t count, float* const* outputs) {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (tail_.made_in[outputs_[i].buffer] < 0) continue;
    const size_t floats = outputs_[i].floats;
    memcpy(outputs[i] + image * floats, tail_.buffers[outputs_[i].buffer],
           count * floats * sizeof(float));
  }
}

// Image by image through the arena, which so stays in cache; what works by rows, at the end, for
// some images at once.
Status Lens::run(uint32_t batch, const float* const* inputs, float* const* outputs) {
  if (!is_ready()) return fail(Code::kNotReady);
  const bool together = batch > 1 && tail_.images > 1;
  const size_t at_once = together ? tail_.images : 1;
  const size_t head = together ? tail_.first_step : steps_.size();
  const Frame one{buffers_.data(), &kernels_, 1};
  for (size_t first = 0; first < batch; first += at_once) {
    const size_t count = batch - first < at_once ? batch - first : at_once;
    for (size_t i = 0; i < count; ++i) {
      set_inputs(first + i, inputs);
      run_steps(0, head, one);
      copy_outputs(first + i, outputs);
      for (size_t e = 0; together && e < tail_.entries.size(); ++e) {
        const Tail::Entry& entry = tail_.entries[e];
        memcpy(entry.rows + i * entry.floats, buffers_[entry.buffer], entry.floats * sizeof(float));
      }
    }
    if (!together) continue;
    run_steps(head, steps_.size(), Frame{tail_.buffers.data(), &kernels_, count});
    copy_rows(first, count, outputs);
  }
  return {};
}

LensMemory Lens::memory() const {
  return {weights_->bytes() + constants_.size() + bias_bytes_, packed_bytes_,
          arena_.size() + tail_.rows.size(), pool_.scratch_bytes()};
}

}  // namespace pocketlens
