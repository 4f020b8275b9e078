// conv2d: the kernels want a padded picture, so a halo is put around it where there are pads. A
// depthwise one goes without.
#include <new>

#include "plan/ops.h"
#include "run/channels.h"
#include "run/ops.h"
#include "run/parts.h"
#include "run/patterns.h"

namespace pocketlens {
namespace {

class ConvStep final : public Step {
 public:
  size_t items(size_t) const override { return part.items(*kernels, part.conv); }
  size_t scratch_bytes(size_t) const override { return part.scratch_bytes(*kernels, part.conv); }
  void run(const Frame& frame, size_t begin, size_t end, void* scratch) const override {
    Conv2d now = part.conv;
    now.input = frame.at(reads[0]);
    now.residual = residual_at < 0 ? nullptr : frame.at(residual_at);
    now.input_scale = scale_at < 0 ? nullptr : frame.at(scale_at);
    now.output = frame.at(writes);
    part.run(*kernels, now, begin, end, scratch);
  }

  const KernelTable* kernels = nullptr;
  ConvPart part;
  int32_t residual_at = -1, scale_at = -1;
};

// Strides of the input buffer, whose form is `form`.
void lay_input(const Shape& x, Form form, Conv2d* conv) {
  const Pictures p = pictures_of(x);
  const size_t height = static_cast<size_t>(p.height + form.halo.top + form.halo.bottom);
  const bool compact = form.layout == Layout::kCompact;
  const int32_t pixel = form.bf16 ? form.pixel : p.channels;
  conv->in_pixel = compact ? static_cast<size_t>(pixel) : kLanes;
  conv->in_row = static_cast<size_t>(row_values(p, form));
  conv->in_block = height * conv->in_row;
  conv->in_image = conv->in_block * (compact ? 1 : static_cast<size_t>(p.blocks()));
}

// The form that the kernel reads its input in.
Form input_form(const Builder& builder, const Op& op, Reference input) {
  using namespace conv2d_at;
  const int32_t channels = builder.shape(input).dims[1];
  const bool depthwise = is_depthwise(builder.plan, op);
  const bool picture =
      channels < kLanes && op.integer(kGroups) == 1 && !depthwise && !builder.stands_blocked(input);
  Form form;
  form.layout = picture ? Layout::kCompact : Layout::kBlocked;
  if (!depthwise) {  // it pads its input itself
    form.halo = {op.integer(kPads), op.integer(kPads + 1), op.integer(kPads + 2),
                 op.integer(kPads + 3)};
  }
  form.bf16 = builder.is_bf16() && !depthwise;
  if (form.bf16 && picture) {  // windows, and pixels of a dilated one, begin with a pair
    const bool even = channels * op.integer(kStrides + 1) % 2 == 0;
    const bool tight = even && (channels % 2 == 0 || op.integer(kDilations + 1) == 1);
    form.pixel = tight ? channels : channels + channels % 2;
  }
  return form;
}

Conv2d describe(const Builder& builder, const Op& op, Reference input, Form form) {
  using namespace conv2d_at;
  const Shape& x = builder.shape(input);
  const Shape& w = builder.shape(op.input(1));
  const Shape& y = builder.plan.values[op.output];
  Conv2d conv = {};
  conv.images = x.dims[0];
  conv.channels = x.dims[1];
  conv.outputs = w.dims[0];
  conv.groups = op.integer(kGroups);
  conv.kernel_h = w.dims[2];
  conv.kernel_w = w.dims[3];
  conv.stride_h = op.integer(kStrides);
  conv.stride_w = op.integer(kStrides + 1);
  conv.dilation_h = op.integer(kDilations);
  conv.dilation_w = op.integer(kDilations + 1);
  conv.in_h = x.dims[2];
  conv.in_w = x.dims[3];
  conv.pad_top = op.integer(kPads);
  conv.pad_left = op.integer(kPads + 1);
  conv.out_h = y.dims[2];
  conv.out_w = y.dims[3];
  const Pictures out = pictures_of(y);
  conv.out_image = static_cast<size_t>(out.blocks()) * static_cast<size_t>(out.pixels()) * kLanes;
  conv.activation = activation_of(op, kActivation);
  lay_input(x, form, &conv);
  return conv;
}

// Whether whoever reads the output would round it. Channels in pairs, so that no lane beyond them
// is read.
bool rounds_output(const Builder& builder, const Op& op, const ConvStep& step) {
  return builder.is_bf16() && builder.conv_inputs[op.output] && step.residual_at < 0 &&
         step.part.conv.outputs % 2 == 0 &&
         builder.kernels.rounds_output(step.part.conv, step.part.depthwise);
}

}  // namespace

bool build_conv2d(Builder& builder, const Op& op) {
  return build_scaled_conv2d(builder, op, op.input(0), Reference{kAbsent});
}

bool make_conv(Builder& builder, const Op& op, Reference input, ConvPart* part) {
  const Form form = input_form(builder, op, input);
  part->depthwise = is_depthwise(builder.plan, op);
  part->conv = describe(builder, op, input, form);
  part->conv.weights = builder.weights->weights(op.input(1).number());
  const size_t outputs = static_cast<size_t>(part->conv.outputs);
  if (!read_constant(builder, op.input(2), outputs, &part->bias)) return false;
  part->conv.bias = part->bias.floats();
  part->input = builder.use(input, form);
  return part->input >= 0;
}

bool build_scaled_conv2d(Builder& builder, const Op& op, Reference input, Reference scale) {
  ConvStep* step = new (std::nothrow) ConvStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  step->kernels = &builder.kernels;
  if (!make_conv(builder, op, input, &step->part) || !step->reads.push(step->part.input)) {
    return false;
  }
  if (!op.input(3).absent()) {
    step->residual_at = builder.blocked(op.input(3));
    if (step->residual_at < 0 || !step->reads.push(step->residual_at)) return false;
  }
  if (!scale.absent()) {
    step->part.conv.way = ConvWay::kPlain;
    step->scale_at = builder.blocked(scale);
    if (step->scale_at < 0 || !step->reads.push(step->scale_at)) return false;
  }
  step->part.conv.round_output = rounds_output(builder, op, *step);
  step->writes = builder.make(op, Layout::kBlocked, step->part.conv.round_output);
  return step->writes >= 0 && builder.add(owned.release());
}

}  // namespace pocketlens
