// A lens in memory: packed weights, steps, one arena, threads. What the C interface hands out.
#ifndef POCKETLENS_RUN_LENS_H
#define POCKETLENS_RUN_LENS_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/status.h"
#include "run/builder.h"
#include "run/pool.h"
#include "run/tail.h"
#include "run/weights.h"

namespace pocketlens {

struct LensMemory {
  uint64_t weights, packed, arena, scratch;
};

class Lens {
 public:
  explicit Lens(const KernelTable& kernels) : kernels_(kernels) {}

  Status open(const uint8_t* plan, size_t plan_bytes, uint32_t threads);
  // The same weights in another graph: those of `other`, which is ready, are shared, and nothing is
  // fed. The kernels are to be the same. `other` may be closed before this lens.
  Status open_beside(const Lens& other, const uint8_t* plan, size_t plan_bytes, uint32_t threads);
  Status feed(uint32_t plane, uint32_t band, uint8_t* rows, size_t row_bytes) {
    return weights_->feed(plane, band, rows, row_bytes);
  }
  bool is_ready() const { return weights_ && weights_->is_ready(); }
  Status run(uint32_t batch, const float* const* inputs, float* const* outputs);

  LensMemory memory() const;
  uint64_t shared_bytes() const { return weights_->bytes(); }  // of the memory's weights
  const KernelTable& kernels() const { return kernels_; }
  const char* target() const { return kernels_.name; }
  bool is_bf16() const { return kernels_.round_to_bf16 != nullptr; }
  size_t input_count() const { return input_floats_.size(); }
  size_t output_count() const { return outputs_.size(); }
  size_t input_floats(size_t i) const { return input_floats_[i]; }
  size_t output_floats(size_t i) const { return outputs_[i].floats; }

  // For benchmarks: one step after the other, on the image that run() took last.
  size_t step_count() const { return steps_.size(); }
  const Step& step(size_t i) const { return *steps_[i]; }
  Frame frame() const { return Frame{buffers_.data(), &kernels_, 1}; }
  void run_step(size_t i) { run_steps(i, i + 1, frame()); }

 private:
  struct InputUse {
    int32_t buffer;
    uint32_t input;
    uint64_t offset;
  };
  struct Output {
    int32_t buffer;
    size_t floats;
  };

  Status build(const Plan& plan, uint32_t threads);
  Status place_buffers(Builder* builder);
  Status fill_constants(Builder* builder);
  bool note_ends(const Plan& plan, Builder* builder);
  size_t scratch_bytes() const;
  void run_steps(size_t first, size_t last, const Frame& frame);
  void set_inputs(size_t image, const float* const* inputs);
  // Outputs from the buffers of one image, or from the rows that the tail made.
  void copy_outputs(size_t image, float* const* outputs);
  void copy_rows(size_t image, size_t count, float* const* outputs);

  const KernelTable& kernels_;
  Shared<WeightStore> weights_;
  Array<Owned<Step>> steps_;
  Memory arena_;
  Memory constants_;
  Array<float*> buffers_;
  Array<InputUse> input_uses_;
  Array<size_t> input_floats_;
  Array<Output> outputs_;
  Tail tail_;
  ThreadPool pool_;
  uint64_t packed_bytes_ = 0;
  uint64_t bias_bytes_ = 0;
};

}  // namespace pocketlens

#endif
