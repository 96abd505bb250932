#include <algorithm>
#include <limits>

#include "lastbit/base/text.h"
#include "lastbit/base/vectorize.h"
#include "lastbit/runtime/affine.h"
#include "lastbit/runtime/conv_shape.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/preparations.h"

namespace lastbit {
namespace {

// Channels that are summed up at a time.
constexpr std::size_t kChannels = 16;

// One pixel: out[c] = sum over taps of x[offsets[tap] + c] * weights[tap * stride + c], for
// kChannels channels at a time and then what is left.
LASTBIT_VECTORIZE void filter_pixel(const float* __restrict x,
                                    const std::int32_t* __restrict offsets,
                                    std::size_t taps,
                                    const float* __restrict weights,
                                    std::size_t channels,
                                    float* __restrict out) {
  std::size_t c = 0;
  for (; c + kChannels <= channels; c += kChannels) {
    float sums[kChannels] = {};
    for (std::size_t tap = 0; tap < taps; ++tap) {
      const float* from = x + offsets[tap] + c;
      const float* w = weights + tap * channels + c;
      for (std::size_t i = 0; i < kChannels; ++i) sums[i] += from[i] * w[i];
    }
    for (std::size_t i = 0; i < kChannels; ++i) out[c + i] = sums[i];
  }
  for (; c < channels; ++c) {
    float sum = 0.0F;
    for (std::size_t tap = 0; tap < taps; ++tap) {
      sum += x[static_cast<std::size_t>(offsets[tap]) + c] * weights[tap * channels + c];
    }
    out[c] = sum;
  }
}

// One filter a channel. A unit is a row of results.
class DepthwiseStep final : public Step {
 public:
  DepthwiseStep(const StepRequest& request, const ConvShape& shape, const Prepared& input)
      : affine_(std::vector<float>(shape.out_channels, 1.0F),
                constant_floats(request.inputs[2]),
                request.fused),
        activation_(request.fused.activation),
        input_(input.slot),
        residual_(request.fused.residual.slot),
        output_(request.output.slot),
        channels_(shape.out_channels),
        row_(static_cast<std::size_t>(shape.x.output)),
        batch_(shape.batch),
        sample_(input.plane.size() / shape.batch),
        windows_(shape.windows(input.plane)) {
    const std::vector<float> weights = constant_floats(request.inputs[1]);
    const std::size_t taps = weights.size() / channels_;
    weights_.resize(weights.size());
    for (std::size_t c = 0; c < channels_; ++c) {
      for (std::size_t tap = 0; tap < taps; ++tap) {
        // The scale is part of the weights, which are floats in any case.
        weights_[tap * channels_ + c] = weights[c * taps + tap] * affine_.scale[c];
      }
    }
    std::fill(affine_.scale.begin(), affine_.scale.end(), 1.0F);
    for (std::ptrdiff_t ky = 0; ky < shape.y.kernel; ++ky) {
      for (std::ptrdiff_t kx = 0; kx < shape.x.kernel; ++kx) {
        offsets_.push_back(static_cast<std::int32_t>(
            input.plane.at(0,
                           static_cast<std::size_t>(ky * shape.y.dilation),
                           static_cast<std::size_t>(kx * shape.x.dilation))));
      }
    }
  }

  std::size_t units() const noexcept override { return batch_ * windows_.size() / row_; }
  double work() const noexcept override { return products(); }
  double products() const noexcept override {
    return static_cast<double>(batch_ * windows_.size()) * static_cast<double>(weights_.size());
  }
  std::size_t weight_bytes() const noexcept override {
    return (weights_.size() + affine_.shift.size()) * sizeof(float);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    const float* input = frame.read(input_);
    for (std::size_t p = begin * row_; p < end * row_; ++p) {
      float* out = frame.write(output_) + p * channels_;
      filter_pixel(input + p / windows_.size() * sample_ + windows_[p % windows_.size()],
                   offsets_.data(),
                   offsets_.size(),
                   weights_.data(),
                   channels_,
                   out);
      for (std::size_t c = 0; c < channels_; c += kBlockOutputs) {
        finish(frame, p, c, out + c);
      }
    }
  }

 private:
  void finish(const Frame& frame, std::size_t p, std::size_t c, float* out) const noexcept {
    Finish finish{.count = 1,
                  .outputs = std::min(kBlockOutputs, channels_ - c),
                  .sums_stride = kBlockOutputs,
                  .scale = affine_.scale.data() + c,
                  .bias = affine_.shift.data() + c,
                  .stride = channels_,
                  .activation = activation_,
                  .out = out};
    if (residual_ >= 0) finish.residual = frame.read(residual_) + p * channels_ + c;
    frame.kernels->finish_float(out, finish);
  }

  OutputAffine affine_;
  Activation activation_;
  int input_;
  int residual_;
  int output_;
  std::size_t channels_;
  std::size_t row_;  // pixels
  std::size_t batch_;
  std::size_t sample_;                 // values of a sample of the input
  std::vector<std::int32_t> windows_;  // (pixels of a sample)
  std::vector<std::int32_t> offsets_;  // (taps)
  std::vector<float> weights_;         // (taps, channels)
};

}  // namespace

void make_depthwise(const StepRequest& request, const ConvShape& shape) {
  const Prepared prepared = request.preparations->plane(
      request.node->inputs[0], request.inputs[0].slot, shape.plane(), false);
  if (prepared.plane.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    refuse(*request.node,
           cat("its padded input has ", prepared.plane.size(), " values, expected below 2^31"));
  }
  request.plan->add_step(std::make_unique<DepthwiseStep>(request, shape, prepared),
                         {prepared.slot, request.fused.residual.slot, request.output.slot});
}

}  // namespace lastbit
