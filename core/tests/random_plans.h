// Valid plans drawn at random: chains of one to five operators over all kinds, small, each weight
// float, half or a palette, perhaps along a trellis, with planes alone, or behind a mask. For
// plan_fuzz.cc.
#ifndef POCKETLENS_TESTS_RANDOM_PLANS_H
#define POCKETLENS_TESTS_RANDOM_PLANS_H

#include <algorithm>
#include <random>

#include "plan/ops.h"
#include "plan/plan.h"
#include "small_plans.h"

namespace pocketlens::test {

class RandomPlan {
 public:
  explicit RandomPlan(uint32_t seed) : dice_(seed) {}

  SmallPlan draw() {
    const uint32_t x = add_value(drawn_shape());
    uint32_t from = x;
    for (uint32_t wanted = 1 + below(5); wanted > 0; --wanted) {
      for (int tries = 0; tries < 20; ++tries) {
        if (add_op(1 + below(kOpKinds - 1), from)) break;
      }
      from = static_cast<uint32_t>(shapes_.values.size()) - 1;
    }
    std::vector<uint32_t> outputs = {from};
    if (below(4) == 0) outputs.push_back(below(from + 1));
    return {maker_.finish({x}, outputs), maker_.bands()};
  }

 private:
  using Words = std::vector<uint32_t>;

  uint32_t below(uint32_t count) { return static_cast<uint32_t>(dice_() % count); }
  uint32_t word(int64_t value) { return static_cast<uint32_t>(value); }
  bool rarely() { return below(4) == 0; }

  Shape drawn_shape() {
    Shape shape;
    shape.rank = below(3) > 0 ? 4 : static_cast<int32_t>(1 + below(kMaxRank));
    constexpr int32_t kChannels[] = {1, 2, 3, 7, 8, 15, 16, 17, 32, 33};
    for (int32_t i = 0; i < shape.rank; ++i) {
      shape.dims[i] = i == 0   ? 1 + static_cast<int32_t>(below(8) == 0)
                      : i == 1 ? kChannels[below(10)]
                               : 1 + static_cast<int32_t>(below(shape.rank > 4 ? 4 : 13));
    }
    return shape;
  }

  static PlanMaker::Dims dims_of(const Shape& shape) {
    return {shape.dims, shape.dims + shape.rank};
  }
  static Shape shape_of(const PlanMaker::Dims& dims) {
    Shape shape;
    shape.rank = static_cast<int32_t>(dims.size());
    for (size_t i = 0; i < dims.size(); ++i) shape.dims[i] = static_cast<int32_t>(dims[i]);
    return shape;
  }

  uint32_t add_value(const Shape& shape) {
    (void)shapes_.values.push(shape);
    return maker_.value(dims_of(shape));
  }

  uint32_t noted(uint32_t number, const PlanMaker::Dims& dims) {
    Tensor noted;
    noted.shape = shape_of(dims);
    (void)shapes_.tensors.push(noted);
    return tensor(number);
  }

  uint32_t add_constant(const PlanMaker::Dims& dims) {
    const uint32_t count = PlanMaker::elements(dims);
    return noted(
        rarely() ? maker_.half_tensor(dims, halves(count)) : maker_.float_tensor(dims, ramp(count)),
        dims);
  }

  uint32_t add_weights(const PlanMaker::Dims& dims) {
    if (below(3) == 0) return add_constant(dims);
    constexpr uint32_t kSizes[] = {1, 2, 3, 4, 9, 16, 17, 256};
    const bool trellis = below(3) == 0;  // k numbers then stand for twice as many values
    const uint32_t drawn = kSizes[below(8)], count = PlanMaker::elements(dims);
    const uint32_t k = !trellis ? drawn : drawn < 2 ? 2 : drawn > 128 ? 128 : drawn;
    const uint32_t values = trellis ? 2 * k : k;
    const uint32_t rows = trellis ? dims[0] + below(2) : 1 + below(dims[0] + 2);
    const uint32_t groups = (dims[0] + rows - 1) / rows;
    const uint32_t width = 1 + below(count), band_rows = 1 + below((count + width - 1) / width);
    const uint32_t bits = k <= 2 ? 1 : k <= 4 ? 2 : k <= 16 ? 4 : 8;
    const Words indices = PlanMaker::counting(count, k);
    if (k < 2 || count < 2 || rarely()) {
      const uint32_t own = maker_.plane(bits, width, band_rows, indices);
      return noted(maker_.indexed_tensor(dims, values, rows, {own, 0, kNone, 0, trellis},
                                         halves(groups * values)),
                   dims);
    }
    const uint32_t common = below(k);
    Words mask, rest;
    for (const uint32_t index : indices) {
      mask.push_back(index != common);
      if (index != common) rest.push_back(index - (index > common));
    }
    const uint32_t mask_plane = maker_.plane(1, width, band_rows, mask);
    const uint32_t across = 1 + below(static_cast<uint32_t>(rest.size()));
    const uint32_t rest_plane = maker_.plane(bits, across, 1, rest);
    return noted(
        maker_.indexed_tensor(dims, values, rows, {rest_plane, 0, mask_plane, common, trellis},
                              halves(groups * values)),
        dims);
  }

  void activation(Words* words) {
    words->insert(words->end(), {below(kActivations), bits_of(0.25f), bits_of(0.5f)});
  }
  void integers(Words* words, uint32_t count, uint32_t low, uint32_t high) {
    for (; count > 0; --count) words->push_back(low + below(high - low + 1));
  }

  // An op of this kind that reads value `from`, if one can.
  bool add_op(uint32_t kind, uint32_t from) {
    const Shape x = shapes_.values[from];
    Words inputs = {from}, attributes;
    switch (static_cast<OpKind>(kind)) {
      case OpKind::kConv2d:
        return x.rank == 4 && add_conv2d(from, x);
      case OpKind::kLinear: {
        const uint32_t outputs = 1 + below(40), depth = word(x.dims[x.rank > 0 ? x.rank - 1 : 0]);
        if (x.rank < 1) return false;
        activation(&attributes);
        return try_op(
            kind, {from, add_weights({outputs, depth}), rarely() ? add_constant({outputs}) : kNone},
            attributes);
      }
      case OpKind::kMatmul:
        attributes = {1, bits_of(0.5f)};
        return try_op(kind, {from, from}, attributes);
      case OpKind::kMaxPool:
      case OpKind::kAvgPool:
        integers(&attributes, 2, 1, 4);
        integers(&attributes, 2, 1, 3);
        integers(&attributes, 4, 0, 2);
        integers(&attributes, 2, 1, 2);
        integers(&attributes, kSignatures[kind].attributes - 10, 0, 1);
        return try_op(kind, inputs, attributes);
      default:
        return add_plain_op(kind, from, x);
    }
  }

  bool add_conv2d(uint32_t from, const Shape& x) {
    const uint32_t channels = word(x.dims[1]);
    const uint32_t groups = rarely() ? channels : channels % 2 == 0 && rarely() ? 2 : 1;
    const uint32_t outputs = groups * (1 + below(groups > 1 ? 3 : 40));
    const uint32_t side = below(3) == 0 ? 1 + below(5) : 3;
    Words attributes;
    activation(&attributes);
    integers(&attributes, 2, 1, below(2) == 0 ? 1 : 3);
    integers(&attributes, 4, 0, 2);
    integers(&attributes, 2, 1, below(2) == 0 ? 1 : 3);
    attributes.push_back(groups);
    Words inputs = {from, add_weights({outputs, channels / groups, side, 1 + below(4)})};
    if (below(2) == 0) inputs.push_back(add_constant({outputs}));
    if (!try_op(1, inputs, attributes)) return false;
    // Once more with what came out added, where it fits.
    if (rarely()) {
      const uint32_t made = static_cast<uint32_t>(shapes_.values.size()) - 1;
      inputs.resize(2);
      inputs.insert(inputs.end(), {kNone, made});
      try_op(1, inputs, attributes);
    }
    return true;
  }

  bool add_plain_op(uint32_t kind, uint32_t from, const Shape& x) {
    const uint32_t rank = word(x.rank);
    Words inputs = {from}, attributes;
    switch (static_cast<OpKind>(kind)) {
      case OpKind::kReduce: {
        attributes = {below(kReduceKinds), below(2)};
        for (uint32_t i = 0; i < rank; ++i) {
          if (below(2) == 0) attributes.push_back(i);
        }
        attributes.resize(8, kNone);
        break;
      }
      case OpKind::kUnary:
        activation(&attributes);
        break;
      case OpKind::kBinary: {
        PlanMaker::Dims dims = dims_of(x);
        for (uint32_t& d : dims) d = rarely() ? 1 : d;
        inputs.push_back(rarely() ? from : add_constant(dims));
        attributes.push_back(below(kBinaryKinds));
        activation(&attributes);
        break;
      }
      case OpKind::kConcat:
        inputs.insert(inputs.end(), below(3), from);
        attributes = {below(rank + 1)};
        break;
      case OpKind::kSlice:
        return add_slice(from, x);
      case OpKind::kPad:
        attributes = {below(kPadModes), bits_of(0.5f)};
        for (uint32_t i = 0; i < 12; ++i) attributes.push_back(i % 6 < rank ? below(3) : 0);
        break;
      case OpKind::kReshape:
        if (rank < 2) return false;
        for (uint32_t i = 1; i < rank; ++i) attributes.push_back(word(x.dims[i]));
        attributes[0] *= word(x.dims[0]);
        attributes.resize(6, kNone);
        break;
      case OpKind::kTranspose: {
        for (uint32_t i = 0; i < rank; ++i) attributes.push_back(i);
        std::shuffle(attributes.begin(), attributes.end(), dice_);
        attributes.resize(6, kNone);
        break;
      }
      case OpKind::kSoftmax:
        attributes = {below(rank + 1), below(2)};
        break;
      case OpKind::kLrn:
        attributes = {1 + below(9), bits_of(1e-2f), bits_of(0.75f), bits_of(1)};
        break;
      case OpKind::kGroupedLrn:
        attributes = {1 + below(9), bits_of(1e-2f), bits_of(0.75f), bits_of(1), below(4)};
        break;
      case OpKind::kLayerNorm:
        attributes = {below(rank + 1), bits_of(1e-5f)};
        break;
      case OpKind::kResize:
        attributes = {
            below(kResizeModes), below(kCoordinateKinds), below(kRoundingKinds), bits_of(-0.75f),
            bits_of(1.5f),       bits_of(0.7f),           1 + below(20),         1 + below(20)};
        break;
      default: {  // expand
        const PlanMaker::Dims dims = dims_of(x);
        attributes.assign(1, 2);
        attributes.insert(attributes.end(), dims.begin(), dims.end());
        attributes.resize(6, kNone);
      }
    }
    return try_op(kind, inputs, attributes);
  }

  bool add_slice(uint32_t from, const Shape& x) {
    Words starts(6, 0), sizes(6, 0), steps(6, 1);
    for (uint32_t i = 0; i < word(x.rank); ++i) {
      const uint32_t dim = word(x.dims[i]), step = 1 + below(2);
      starts[i] = below(dim);
      sizes[i] = 1 + below((dim - starts[i] + step - 1) / step);
      steps[i] = step;
      if (rarely()) {  // backwards
        starts[i] += (sizes[i] - 1) * step;
        steps[i] = word(-int64_t{step});
      }
    }
    Words attributes = starts;
    attributes.insert(attributes.end(), sizes.begin(), sizes.end());
    attributes.insert(attributes.end(), steps.begin(), steps.end());
    return try_op(10, {from}, attributes);
  }

  // Adds the op and its output if the core takes it.
  bool try_op(uint32_t kind, const Words& inputs, const Words& attributes) {
    Words words = inputs;
    words.insert(words.end(), attributes.begin(), attributes.end());
    const Op op{kind, 0, static_cast<uint32_t>(inputs.size()),
                static_cast<uint32_t>(attributes.size()), words.data()};
    Shape shape;
    if (!shape_of_output(shapes_, op, &shape).ok() || shape.elements() > kMostElements) {
      return false;
    }
    maker_.op(kind, add_value(shape), inputs, attributes);
    return true;
  }

  static constexpr int64_t kMostElements = 20000;

  std::mt19937 dice_;
  PlanMaker maker_;
  Plan shapes_;  // values and tensors: only their shapes
};

}  // namespace pocketlens::test

#endif
