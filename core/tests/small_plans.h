// The plans that plan_test and run_test share.
#ifndef POCKETLENS_TESTS_SMALL_PLANS_H
#define POCKETLENS_TESTS_SMALL_PLANS_H

#include "plan_maker.h"

namespace pocketlens::test {
inline std::vector<uint16_t> halves(size_t count) {
  std::vector<uint16_t> result;
  for (size_t i = 0; i < count; ++i) result.push_back(static_cast<uint16_t>(0x3000 + 37 * i));
  return result;
}

inline std::vector<float> ramp(size_t count) {
  std::vector<float> result;
  for (size_t i = 0; i < count; ++i) result.push_back(0.25f + 0.125f * static_cast<float>(i % 7));
  return result;
}

// Appends `more` and says where it begins.
inline uint32_t append(std::vector<uint32_t>* pixels, const std::vector<uint32_t>& more) {
  const uint32_t start = static_cast<uint32_t>(pixels->size());
  pixels->insert(pixels->end(), more.begin(), more.end());
  return start;
}

// The tensors of network_plan() with palettes.
struct NetworkWeights {
  uint32_t stem, deep, same, head;
};

// Each on a plane of its own.
inline NetworkWeights own_planes(PlanMaker* m) {
  return {m->palette_tensor({18, 3, 3, 3}, 4, 11, 18, 27, 7, halves(11)),
          m->palette_tensor({18, 1, 3, 3}, 2, 4, 5, 10, 3, halves(16)),
          m->palette_tensor({18, 18, 1, 1}, 8, 20, 18, 50, 2, halves(20)),
          m->palette_tensor({5, 36}, 1, 2, 5, 36, 1, halves(2))};
}

// The same indices: three tensors share a plane, the fourth has a mask.
inline NetworkWeights shared_planes(PlanMaker* m) {
  constexpr uint32_t kCommon = 7;
  std::vector<uint32_t> mask, rest, together;
  for (const uint32_t index : PlanMaker::counting(18 * 18, 20)) {
    mask.push_back(index != kCommon);
    if (index != kCommon) rest.push_back(index - (index > kCommon));
  }
  const uint32_t head_at = append(&together, PlanMaker::counting(5 * 36, 2));
  const uint32_t stem_at = append(&together, PlanMaker::counting(18 * 27, 11));
  const uint32_t deep_at = append(&together, PlanMaker::counting(18 * 9, 4));
  const uint32_t mask_plane = m->plane(1, 45, 3, mask);
  const uint32_t rest_plane = m->plane(8, 31, 4, rest);
  const uint32_t shared = m->plane(4, 101, 2, together);
  return {
      m->indexed_tensor({18, 3, 3, 3}, 11, 18, {shared, stem_at, kNone, 0}, halves(11)),
      m->indexed_tensor({18, 1, 3, 3}, 4, 5, {shared, deep_at, kNone, 0}, halves(16)),
      m->indexed_tensor({18, 18, 1, 1}, 20, 18, {rest_plane, 0, mask_plane, kCommon}, halves(20)),
      m->indexed_tensor({5, 36}, 2, 5, {shared, head_at, kNone, 0}, halves(2))};
}

inline std::vector<uint32_t> mixed(uint32_t count, uint32_t k) {
  std::vector<uint32_t> numbers(count);
  for (uint32_t i = 0; i < count; ++i) numbers[i] = (i * i * 7 + i / 3) % k;
  return numbers;
}

// The weights of network_plan() as numbers along a trellis: two share a plane, one has a mask.
inline NetworkWeights trellis_planes(PlanMaker* m) {
  constexpr uint32_t kCommon = 7;
  std::vector<uint32_t> mask, rest, together;
  for (const uint32_t number : mixed(18 * 18, 20)) {
    mask.push_back(number != kCommon);
    if (number != kCommon) rest.push_back(number - (number > kCommon));
  }
  const uint32_t deep_at = append(&together, mixed(18 * 9, 4));
  const uint32_t stem_at = append(&together, mixed(18 * 27, 11));
  const uint32_t mask_plane = m->plane(1, 45, 3, mask);
  const uint32_t rest_plane = m->plane(8, 31, 4, rest);
  const uint32_t shared = m->plane(4, 23, 2, together);
  const uint32_t own = m->plane(1, 36, 1, mixed(5 * 36, 2));
  return {m->indexed_tensor({18, 3, 3, 3}, 22, 18, {shared, stem_at, kNone, 0, true}, halves(22)),
          m->indexed_tensor({18, 1, 3, 3}, 8, 18, {shared, deep_at, kNone, 0, true}, halves(8)),
          m->indexed_tensor({18, 18, 1, 1}, 40, 18, {rest_plane, 0, mask_plane, kCommon, true},
                            halves(40)),
          m->indexed_tensor({5, 36}, 4, 5, {own, 0, kNone, 0, true}, halves(4))};
}

// The places in the palette that such numbers stand for, as docs/format/lens.md has it.
inline std::vector<uint32_t> followed(std::vector<uint32_t> numbers, uint32_t columns) {
  constexpr uint32_t kNext[8][2] = {{0, 1}, {2, 3}, {5, 4}, {7, 6}, {1, 0}, {3, 2}, {4, 5}, {6, 7}};
  for (uint32_t column = 0; column < columns; ++column) {
    uint32_t state = 0;
    for (size_t at = column; at < numbers.size(); at += columns) {
      const uint32_t number = numbers[at];
      numbers[at] = 2 * number + state % 2;
      state = kNext[state][number % 2];
    }
  }
  return numbers;
}

// The same weights, every index told as it is.
inline NetworkWeights followed_planes(PlanMaker* m) {
  const auto own = [m](const PlanMaker::Dims& dims, uint32_t numbers) {
    const uint32_t count = PlanMaker::elements(dims), k = 2 * numbers;
    const auto pixels = followed(mixed(count, numbers), count / dims[0]);
    const uint32_t plane = m->plane(8, 9, 5, pixels);
    return m->indexed_tensor(dims, k, dims[0], {plane, 0, kNone, 0}, halves(k));
  };
  const uint32_t stem = own({18, 3, 3, 3}, 11), deep = own({18, 1, 3, 3}, 4);
  const uint32_t same = own({18, 18, 1, 1}, 20);
  return {stem, deep, same, own({5, 36}, 2)};
}

// conv2d with palettes, pads and a residual; depthwise; pools; concat; global mean; linear;
// softmax.
inline SmallPlan network_plan(NetworkWeights (*weights)(PlanMaker*) = own_planes) {
  PlanMaker m;
  const uint32_t x = m.value({1, 3, 8, 7}), a = m.value({1, 18, 4, 4});
  const uint32_t b = m.value({1, 18, 4, 4}), c = m.value({1, 18, 4, 4});
  const uint32_t d = m.value({1, 18, 2, 2}), e = m.value({1, 18, 2, 2});
  const uint32_t f = m.value({1, 36, 2, 2}), g = m.value({1, 36});
  const uint32_t h = m.value({1, 5}), y = m.value({1, 5}), n = m.value({1, 18, 4, 4});
  const auto [stem, deep, same, head] = weights(&m);
  const uint32_t bias = m.float_tensor({18}, ramp(18));
  const uint32_t scale = m.float_tensor({1, 18, 1, 1}, ramp(18));
  m.op(1, a, {x, tensor(stem), tensor(bias)}, {1, 0, 0, 2, 2, 1, 1, 0, 1, 1, 1, 1});
  m.op(1, b, {a, tensor(deep)}, {7, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 18});
  m.op(1, c, {b, tensor(same), kNone, a}, {3, 0, bits_of(6), 1, 1, 0, 0, 0, 0, 1, 1, 1});
  m.op(8, n, {c, tensor(scale)}, {2, 0, 0, 0});
  m.op(4, d, {n}, {3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 0});
  m.op(5, e, {n}, {2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 0, 1});
  m.op(9, f, {d, e}, {1});
  m.op(6, g, {f}, {0, 0, 2, 3, kNone, kNone, kNone, kNone});
  m.op(2, h, {g, tensor(head)}, {0, 0, 0});
  m.op(14, y, {h}, {1, 0});
  return {m.finish({x}, {y}), m.bands()};
}

// What is done on plain arrays: transpose, slice, pad, reshape, expand, matmul, layer_norm, ...
inline SmallPlan moving_plan() {
  PlanMaker m;
  const uint32_t x = m.value({1, 6, 4, 3}), a = m.value({1, 4, 3, 6}), b = m.value({1, 4, 3, 6});
  const uint32_t c = m.value({1, 2, 3, 6}), d = m.value({1, 2, 6, 6}), e = m.value({2, 6, 6});
  const uint32_t f = m.value({2, 6, 6}), g = m.value({2, 6, 6}), h = m.value({2, 2, 6, 6});
  const uint32_t i = m.value({2, 2, 6, 6}), j = m.value({2, 2, 9, 8}), k = m.value({2, 2, 9, 8});
  const uint32_t s = m.float_tensor({6}, ramp(6)), other = m.float_tensor({6, 1}, ramp(6));
  const uint32_t none = kNone, value = bits_of(0.5f);
  m.op(13, a, {x}, {0, 2, 3, 1, none, none});
  m.op(16, b, {a, tensor(s), tensor(s)}, {3, bits_of(1e-5f)});
  m.op(10, c, {b}, {0, 3, 0, 0, 0, 0, 1, 2, 3, 6, 0, 0, 1, static_cast<uint32_t>(-2), 1, 1, 1, 1});
  m.op(11, d, {c}, {1, value, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0});
  m.op(12, e, {d}, {2, 6, 6, none, none, none});
  m.op(3, f, {e, e}, {1, bits_of(0.1f)});
  m.op(8, g, {f, tensor(other)}, {0, 1, 0, 0});
  m.op(18, h, {g}, {2, 2, 6, 6, none, none});
  m.op(15, i, {h}, {5, bits_of(1e-4f), bits_of(0.75f), bits_of(1)});
  m.op(17, j, {i}, {2, 0, 0, bits_of(-0.75f), bits_of(1.5f), bits_of(1.3333f), 9, 8});
  m.op(7, k, {j}, {9, 0, 0});
  return {m.finish({x}, {k, b}), m.bands()};
}

}  // namespace pocketlens::test

#endif
