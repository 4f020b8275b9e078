// conv2d and depthwise, plainly: a work item is a panel of 16 outputs over all images.
#include "kernels/panel.h"
#include "kernels/scalar.h"

namespace pocketlens::scalar {

namespace {

// The sum over the inputs of one output at one place. `weights` is the output's column of its
// decoded panel, `first_channel` the first channel of its group, `channels` how many the group has.
double window_sum(const Conv2d& conv, const float* window, const float* weights,
                  int32_t first_channel, int32_t channels) {
  double sum = 0;
  for (int32_t c0 = 0; c0 < channels; c0 += kLanes) {
    for (int32_t ky = 0; ky < conv.kernel_h; ++ky) {
      for (int32_t kx = 0; kx < conv.kernel_w; ++kx) {
        for (int32_t c = c0; c < least(c0 + kLanes, channels); ++c, weights += kLanes) {
          const int32_t channel = first_channel + c;
          const float x =
              window[(size_t)(channel / kLanes) * conv.in_block +
                     (size_t)(ky * conv.dilation_h) * conv.in_row +
                     (size_t)(kx * conv.dilation_w) * conv.in_pixel + (size_t)(channel % kLanes)];
          const double scale = conv.input_scale ? (double)conv.input_scale[channel] : 1;
          sum += (double)x * scale * (double)*weights;
        }
      }
    }
  }
  return sum;
}

void run_output(const Conv2d& conv, int32_t output, const float* weights) {
  const int32_t group = output / (conv.outputs / conv.groups);
  const int32_t channels = conv.channels / conv.groups;
  const size_t plane = (size_t)conv.out_h * (size_t)conv.out_w * kLanes;
  for (int32_t n = 0; n < conv.images; ++n) {
    for (int32_t y = 0; y < conv.out_h; ++y) {
      for (int32_t x = 0; x < conv.out_w; ++x) {
        const float* window = conv.input + (size_t)n * conv.in_image +
                              (size_t)(y * conv.stride_h) * conv.in_row +
                              (size_t)(x * conv.stride_w) * conv.in_pixel;
        const size_t place = (size_t)n * conv.out_image + (size_t)(output / kLanes) * plane +
                             ((size_t)y * (size_t)conv.out_w + (size_t)x) * kLanes +
                             (size_t)(output % kLanes);
        double sum =
            conv.bias[output] + window_sum(conv, window, weights, group * channels, channels);
        if (conv.residual) sum += conv.residual[place];
        conv.output[place] = (float)activation(sum, conv.activation);
      }
    }
  }
}

}  // namespace

size_t conv2d_items(const Conv2d& conv) { return (size_t)panel_count(conv.weights); }

size_t conv2d_scratch_bytes(const Conv2d& conv) {
  return (size_t)conv.weights.depth * kLanes * sizeof(float);
}

void conv2d_run(const Conv2d& conv, size_t begin, size_t end, void* scratch) {
  float* weights = static_cast<float*>(scratch);
  for (size_t panel = begin; panel < end; ++panel) {
    decode(conv.weights, (int32_t)panel, 0, conv.weights.depth, weights, kLanes);
    for (int32_t lane = 0; lane < kLanes; ++lane) {
      const int32_t output = (int32_t)panel * kLanes + lane;
      if (output < conv.outputs) run_output(conv, output, weights + lane);
    }
  }
}

namespace {

// The sum of one channel at the window whose first tap is at (top, left), which may be outside.
double depthwise_sum(const Conv2d& conv, const float* channel, const float* weights, int32_t top,
                     int32_t left) {
  double sum = 0;
  for (int32_t ky = 0; ky < conv.kernel_h; ++ky) {
    for (int32_t kx = 0; kx < conv.kernel_w; ++kx, weights += kLanes) {
      const int32_t y = top + ky * conv.dilation_h, x = left + kx * conv.dilation_w;
      if (y < 0 || y >= conv.in_h || x < 0 || x >= conv.in_w) continue;
      sum +=
          (double)channel[(size_t)y * conv.in_row + (size_t)x * conv.in_pixel] * (double)*weights;
    }
  }
  return sum;
}

void depthwise_channel(const Conv2d& conv, int32_t number, const float* weights) {
  const size_t plane = (size_t)conv.out_h * (size_t)conv.out_w * kLanes;
  for (int32_t n = 0; n < conv.images; ++n) {
    const float* channel = conv.input + (size_t)n * conv.in_image +
                           (size_t)(number / kLanes) * conv.in_block + (size_t)(number % kLanes);
    for (int32_t y = 0; y < conv.out_h; ++y) {
      for (int32_t x = 0; x < conv.out_w; ++x) {
        const size_t place = (size_t)n * conv.out_image + (size_t)(number / kLanes) * plane +
                             ((size_t)y * (size_t)conv.out_w + (size_t)x) * kLanes +
                             (size_t)(number % kLanes);
        double sum = conv.bias[number] + depthwise_sum(conv, channel, weights,
                                                       y * conv.stride_h - conv.pad_top,
                                                       x * conv.stride_w - conv.pad_left);
        if (conv.residual) sum += conv.residual[place];
        conv.output[place] = (float)activation(sum, conv.activation);
      }
    }
  }
}

}  // namespace

void depthwise_run(const Conv2d& conv, size_t begin, size_t end, void* scratch) {
  float* weights = static_cast<float*>(scratch);
  for (size_t panel = begin; panel < end; ++panel) {
    decode(conv.weights, (int32_t)panel, 0, conv.weights.depth, weights, kLanes);
    for (int32_t lane = 0; lane < kLanes; ++lane) {
      const int32_t number = (int32_t)panel * kLanes + lane;
      if (number < conv.outputs) depthwise_channel(conv, number, weights + lane);
    }
  }
}

}  // namespace pocketlens::scalar
