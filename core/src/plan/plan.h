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
constexpr uint32_t kMaxPlanes = 2 * kMaxCount;

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

constexpr uint32_t kTrellisKind = 3;  // in a plan: a palette along a trellis

constexpr uint32_t kNoMask = 0xFFFFFFFFu;

struct Tensor {
  TensorKind kind = TensorKind::kFloat;
  Shape shape;
  uint32_t palette_size = 0;  // k
  uint32_t group_rows = 0;
  uint32_t groups = 0;
  uint32_t bits = 0;   // of an index in memory: the smallest of 1, 2, 4, 8 that tells k values
  uint32_t plane = 0;  // number of the plane that holds its pixels
  uint32_t first_pixel = 0;
  uint32_t mask = kNoMask;        // number of a plane of 1 bit a weight
  uint32_t common = 0;            // the number where the mask is 0
  bool trellis = false;           // pixels are numbers along a trellis (base/trellis.h)
  const uint8_t* data = nullptr;  // values or palettes, little-endian, in the caller's bytes
  uint64_t data_bytes = 0;
  int32_t weight_of = -1;  // the first op that multiplies with it; -1: a plain constant

  bool masked() const { return mask != kNoMask; }
  // What its pixels tell apart, with a mask or without.
  uint32_t numbers() const { return trellis ? palette_size / 2 : palette_size; }
  uint64_t weights() const { return static_cast<uint64_t>(shape.elements()); }
};

// A picture that is handed in band by band: the pixels of one tensor or more, or a mask.
struct Plane {
  uint32_t bits = 0;   // a pixel
  uint32_t width = 0;  // pixels a row
  uint32_t rows = 0;
  uint32_t band_rows = 0;  // of every band but the last
  uint32_t bands = 0;
  uint32_t first_reader = 0;  // in Plan::readers
  uint32_t readers = 0;       // tensors that read it, in the order of their pixels
  bool is_mask = false;

  uint64_t row_bytes() const { return (uint64_t{width} * bits + 7) / 8; }
};

constexpr uint32_t kAbsent = 0xFFFFFFFFu;

// An input of an op: a value, a tensor, or nothing.
struct Reference {
  uint32_t word;

  bool absent() const { return word == kAbsent; }
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
  Array<Plane> planes;
  Array<uint32_t> readers;  // tensor numbers, plane by plane
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

// Judges the planes against the tensors that read them, and fills Plan::readers (planes.cc). Tables
// are known to be in range each for itself.
Status judge_planes(Plan* plan);

// Judges the attributes and inputs of one op against the shapes of what it reads and gives the
// shape of what it makes (shapes.cc). References are known to be in range.
Status shape_of_output(const Plan& plan, const Op& op, Shape* shape);

}  // namespace pocketlens

#endif
