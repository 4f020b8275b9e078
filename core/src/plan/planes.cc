// Planes against the tensors that read them (docs/format/plan.md): the runs of tensors that share a
// plane follow each other from its first pixel to its last row without a gap; a mask has a pixel a
// weight and one tensor; no plane is left over.
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/sort.h"
#include "plan/plan.h"

namespace pocketlens {
namespace {

// A tensor's use of a plane.
struct Use {
  uint32_t plane;
  uint32_t first_pixel;
  uint32_t tensor;
  bool as_mask;

  bool operator<(const Use& other) const {
    if (plane != other.plane) return plane < other.plane;
    if (first_pixel != other.first_pixel) return first_pixel < other.first_pixel;
    return tensor != other.tensor ? tensor < other.tensor : as_mask < other.as_mask;
  }
};

bool collect_uses(const Plan& plan, Array<Use>* uses) {
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const Tensor& t = plan.tensors[i];
    if (t.kind != TensorKind::kPalette) continue;
    const uint32_t number = static_cast<uint32_t>(i);
    if (!uses->push({t.plane, t.first_pixel, number, false})) return false;
    if (t.masked() && !uses->push({t.mask, 0, number, true})) return false;
  }
  sort_items(uses->data(), uses->size(), [](const auto& a, const auto& b) { return a < b; });
  return true;
}

// `pixels` fill the plane's rows, the last one perhaps in part.
Status judge_rows(const Plane& plane, uint64_t pixels, uint32_t tensor) {
  if (plane.width > pixels) return fail_tensor(Code::kTensor, tensor, plane.width, pixels);
  const uint64_t rows = divide_up(pixels, plane.width);
  return plane.rows == rows ? Status{} : fail_tensor(Code::kTensor, tensor, plane.rows, rows);
}

// The only use of a plane: a mask, or the pixels that a mask leaves.
Status judge_masked(const Plane& plane, const Tensor& tensor, const Use& use, size_t uses) {
  if (uses != 1) return fail_tensor(Code::kTensor, use.tensor, uses, 1);
  if (use.as_mask) {
    if (plane.bits != 1) return fail_tensor(Code::kTensor, use.tensor, plane.bits, 1);
    return judge_rows(plane, tensor.weights(), use.tensor);
  }
  if (use.first_pixel != 0) return fail_tensor(Code::kTensor, use.tensor, use.first_pixel, 0);
  if (tensor.numbers() - 1 > (1u << plane.bits)) {
    return fail_tensor(Code::kPalette, use.tensor, tensor.numbers(), (1u << plane.bits) + 1);
  }
  // How many pixels there are is known when the mask is there; at most one a weight.
  const uint64_t least = uint64_t{plane.rows - 1} * plane.width + 1;
  if (least > tensor.weights() || plane.width > tensor.weights()) {
    return fail_tensor(Code::kTensor, use.tensor, least, tensor.weights());
  }
  return {};
}

Status judge_run(const Plane& plane, const Tensor& tensor, const Use& use, uint64_t expected) {
  if (use.first_pixel != expected) {
    return fail_tensor(Code::kTensor, use.tensor, use.first_pixel, expected);
  }
  if (tensor.numbers() > (1u << plane.bits)) {
    return fail_tensor(Code::kPalette, use.tensor, tensor.numbers(), 1u << plane.bits);
  }
  return {};
}

// All uses of one plane, in the order of their pixels.
Status judge_plane(const Plan& plan, const Plane& plane, const Use* uses, size_t count) {
  uint64_t pixels = 0;
  for (size_t i = 0; i < count; ++i) {
    const Tensor& tensor = plan.tensors[uses[i].tensor];
    if (tensor.masked()) return judge_masked(plane, tensor, uses[i], count);
    const Status status = judge_run(plane, tensor, uses[i], pixels);
    if (!status.ok()) return status;
    pixels += tensor.weights();
  }
  if (pixels > kMaxElements)
    return fail_tensor(Code::kTooLarge, uses[0].tensor, pixels, kMaxElements);
  return judge_rows(plane, pixels, uses[0].tensor);
}

}  // namespace

Status judge_planes(Plan* plan) {
  Array<Use> uses;
  if (!collect_uses(*plan, &uses) || !plan->readers.reset(uses.size())) {
    return fail(Code::kNoMemory);
  }
  size_t at = 0;
  for (size_t number = 0; number < plan->planes.size(); ++number) {
    Plane& plane = plan->planes[number];
    plane.first_reader = static_cast<uint32_t>(at);
    while (at < uses.size() && uses[at].plane == number) {
      plan->readers[at] = uses[at].tensor;
      plane.is_mask = plane.is_mask || uses[at].as_mask;
      ++at;
    }
    plane.readers = static_cast<uint32_t>(at) - plane.first_reader;
    if (plane.readers == 0) return fail(Code::kPlane, number);
    const Status status =
        judge_plane(*plan, plane, uses.data() + plane.first_reader, plane.readers);
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace pocketlens
