// A plan as plain values, after every field has been judged (validate.cc). What is kept here owns
// its memory, but for `data`, which points into the caller's bytes and is read while opening only.
// The bytes are described in docs/format/plan.md.
#ifndef POCKETLENS_PLAN_PLAN_H
#define POCKETLENS_PLAN_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/status.h"

namespace pocketlens {

constexpr int kMaxRank = 6;
constexpr int64_t kMaxDimension = 1 << 24;
constexpr int64_t kMaxElements = (int64_t{1} << 31) - 1;
constexpr uint32_t kMaxCount = 1 << 14;  // values, tensors or ops of a plan

struct Shape {
  int32_t rank = 0;
  int32_t dims[kMaxRank] = {1, 1, 1, 1, 1, 1};

  int64_t elements() const {
    int64_t product = 1;
    for (int i = 0; i < kMaxRank; ++i) product *= dims[i];
    return product;
  }
  bool operator==(const Shape& other) const {
    if (rank != other.rank) return false;
    for (int i = 0; i < kMaxRank; ++i) {
      if (dims[i] != other.dims[i]) return false;
    }
    return true;
  }
};

enum class TensorKind : uint32_t { kFloat = 0, kHalf = 1, kPalette = 2 };

struct Tensor {
  TensorKind kind = TensorKind::kFloat;
  Shape shape;
  uint32_t bits = 0;          // of an index
  uint32_t palette_size = 0;  // k
  uint32_t group_rows = 0;
  uint32_t groups = 0;
  uint32_t width = 0;  // pixels a row of the plane
  uint32_t rows = 0;   // of the plane
  uint32_t band_rows = 0;
  uint32_t bands = 0;
  const uint8_t* data = nullptr;  // values or palettes, little-endian, in the caller's bytes
  uint64_t data_bytes = 0;
  int32_t weight_of = -1;  // the first op that multiplies with it; -1: a plain constant
};

// An input of an op: a value, a tensor, or nothing.
struct Reference {
  uint32_t word;

  bool absent() const { return word == 0xFFFFFFFFu; }
  bool is_tensor() const { return !absent() && (word & 0x80000000u) != 0; }
  bool is_value() const { return (word & 0x80000000u) == 0; }
  uint32_t number() const { return word & 0x7FFFFFFFu; }
};

struct Op {
  uint32_t kind = 0;  // a number of ops.h
  uint32_t output = 0;
  uint32_t input_count = 0;
  uint32_t attribute_count = 0;
  const uint32_t* words = nullptr;  // inputs, then attributes; in Plan::words

  Reference input(uint32_t i) const { return Reference{i < input_count ? words[i] : 0xFFFFFFFFu}; }
  int32_t integer(uint32_t i) const { return static_cast<int32_t>(words[input_count + i]); }
  float number(uint32_t i) const { return float_of_bits(words[input_count + i]); }
};

struct Plan {
  Array<Shape> values;
  Array<Tensor> tensors;
  Array<uint32_t> inputs;   // value numbers
  Array<uint32_t> outputs;  // value numbers
  Array<Op> ops;
  Array<uint32_t> words;  // the ops section

  const Shape& shape_of(Reference reference) const {
    return reference.is_tensor() ? tensors[reference.number()].shape : values[reference.number()];
  }
};

// Reads and judges `bytes`. On success everything in *plan is as docs/format/plan.md says, and
// nothing that runs has to look again.
Status read_plan(const uint8_t* bytes, size_t size, Plan* plan);

// Judges the attributes and inputs of one op against the shapes of what it reads and gives the
// shape of what it makes (shapes.cc). References are known to be in range.
Status shape_of_output(const Plan& plan, const Op& op, Shape* shape);

}  // namespace pocketlens

#endif
