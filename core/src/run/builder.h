// From a plan to steps: which layout every value stands in, and the conversions between them.
//
// A value may stand in several buffers, one a form: plain (row-major), blocked (NCHW16c), or with a
// halo of zeros around each picture, so that kernels that slide a window check no bounds.
#ifndef POCKETLENS_RUN_BUILDER_H
#define POCKETLENS_RUN_BUILDER_H

#include <stdint.h>

#include "base/array.h"
#include "base/bytes.h"
#include "plan/plan.h"
#include "run/step.h"
#include "run/weights.h"

namespace pocketlens {

enum class Layout : uint8_t { kPlain, kBlocked, kCompact };

struct Halo {
  int32_t top = 0, left = 0, bottom = 0, right = 0;

  bool operator==(const Halo&) const = default;
  bool none() const { return top == 0 && left == 0 && bottom == 0 && right == 0; }
};

struct Form {
  Layout layout = Layout::kPlain;
  Halo halo;
  // In bfloat16, of two bytes, for a conv2d alone: blocked or compact, lanes beyond the channels
  // that a pair reaches are zero, and so is what follows a row.
  bool bf16 = false;
  int32_t pixel = 0;  // values of a pixel, of a compact picture in bfloat16

  bool operator==(const Form&) const = default;
};

// A shape seen as pictures: (N, C, H, W); axes after the third are one, missing ones are 1.
struct Pictures {
  int32_t images, channels, height, width;

  int64_t blocks() const { return (int64_t{channels} + kLanes - 1) / kLanes; }
  int64_t pixels() const { return int64_t{height} * width; }
};

Pictures pictures_of(const Shape& shape);

// From row to row of a blocked or compact picture, halos included, in values.
uint64_t row_values(const Pictures& pictures, const Form& form);

enum class Place : uint8_t { kArena, kConstant, kInput };

struct Buffer {
  Shape shape;
  Form form;
  Place place = Place::kArena;
  uint64_t floats = 0;  // a multiple of 16
  int32_t root = -1;    // the buffer whose memory it shares; its own number if none
  uint64_t offset = 0;  // floats from the start of the root's memory
  int32_t first = -1;   // of a root: the steps between which it lives
  int32_t last = -1;
  uint64_t at = 0;        // of a root: floats from the start of the arena or of the constants
  int32_t next = -1;      // another buffer of the same value
  uint32_t input = 0;     // kInput: which
  int32_t alias_of = -1;  // the buffer whose bytes these are, under another shape or form
};

class Builder {
 public:
  Builder(const Plan& plan, const KernelTable& kernels, WeightStore* weights)
      : plan(plan), kernels(kernels), weights(weights) {}

#if defined(__wasm__)  // no target of a browser has it, and a page waits for every byte of code
  static constexpr bool is_bf16() { return false; }
#else
  bool is_bf16() const { return kernels.round_to_bf16 != nullptr; }
#endif

  // Makes buffers for inputs and constants and the steps of every op.
  Status build();

  // A buffer that holds `reference` in this form; adds a conversion step where there is none yet.
  // -1: no memory.
  int32_t use(Reference reference, Form form);
  int32_t plain(Reference reference) { return use(reference, Form{}); }
  int32_t blocked(Reference reference) { return use(reference, Form{Layout::kBlocked, {}}); }

  // The new buffer of the op's output. -1: no memory.
  int32_t make(const Op& op, Layout layout, bool bf16 = false);
  // The op's output is `buffer` under another shape.
  bool make_alias(const Op& op, int32_t buffer);

  // Whether the value stands blocked already (or is a picture whose blocks cost nothing).
  bool stands_blocked(Reference reference) const;
  const Shape& shape(Reference reference) const { return plan.shape_of(reference); }

  // Appends the step of the op under way; null says no memory, and so does false.
  bool add(Step* step);

  const Plan& plan;
  const KernelTable& kernels;
  WeightStore* weights;
  Array<Buffer> buffers;
  Array<Owned<Step>> steps;
  Array<Owned<Step>> constant_steps;  // run once, when a lens is opened
  Array<int32_t> value_buffers;       // first buffer of a value, -1: none yet
  Array<int32_t> tensor_buffers;      // ditto of a plain constant
  Array<uint8_t> conv_inputs;         // whether a value is read by dense conv2d alone
  uint64_t bias_bytes = 0;            // constants that steps own
  int32_t op = -1;                    // under way

 private:
  int32_t& head(Reference reference);
  int32_t find(Reference reference, Form form) const;
  int32_t new_buffer(const Shape& shape, Form form, Place place);
  bool add_inputs();
  int32_t constant(uint32_t tensor);
  Status build_op(const Op& op);
};

// Floats of a buffer; 0 where it does not fit a limit.
uint64_t floats_of(const Shape& shape, Form form);

}  // namespace pocketlens

#endif
