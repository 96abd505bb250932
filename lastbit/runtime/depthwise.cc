#include <algorithm>
#include <utility>

#include "lastbit/runtime/affine.h"
#include "lastbit/runtime/conv_shape.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"
#include "lastbit/runtime/plane.h"

namespace lastbit {
namespace {

// One filter a channel, of floats in either mode: there is too little to gain in integers. Windows
// leave out what lies beyond the input, so that no copy with a border is needed. A unit is a row of
// results.
class DepthwiseStep final : public Step {
 public:
  DepthwiseStep(const StepRequest& request, const ConvShape& shape)
      : activation_(request.fused.activation),
        input_(request.inputs[0].slot),
        residual_(request.fused.residual.slot),
        output_(request.output.slot),
        batch_(shape.batch),
        channels_(shape.out_channels),
        y_(shape.y),
        x_(shape.x),
        runs_(runs_of(shape.x)) {
    OutputAffine affine(
        std::vector<float>(channels_, 1.0F), constant_floats(request.inputs[2]), request.fused);
    shift_ = std::move(affine.shift);
    const std::vector<float> weights = constant_floats(request.inputs[1]);
    weights_.resize(weights.size());
    for (std::size_t c = 0; c < channels_; ++c) {
      for (std::size_t tap = 0; tap < taps(); ++tap) {
        weights_[tap * channels_ + c] = weights[c * taps() + tap] * affine.scale[c];
      }
    }
  }

  std::size_t units() const noexcept override {
    return batch_ * static_cast<std::size_t>(y_.output);
  }
  double work() const noexcept override { return kMove / 4.0 * products(); }
  double products() const noexcept override {
    return static_cast<double>(units() * static_cast<std::size_t>(x_.output)) *
           static_cast<double>(weights_.size());
  }
  // Two pointers a tap.
  std::size_t scratch_floats() const noexcept override {
    return 2 * taps() * sizeof(const float*) / sizeof(float);
  }
  std::size_t weight_bytes() const noexcept override {
    return (weights_.size() + shift_.size()) * sizeof(float);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int worker) const noexcept override {
    auto* inputs = reinterpret_cast<const float**>(frame.scratch_of(worker));
    const auto height = static_cast<std::size_t>(y_.output);
    const auto width = static_cast<std::size_t>(x_.output);
    const auto plane = static_cast<std::size_t>(y_.input * x_.input) * channels_;
    for (std::size_t unit = begin; unit < end; ++unit) {
      const float* sample = frame.read(input_) + unit / height * plane;
      for (const AxisRun& run : runs_) {
        const ChannelFilter filter =
            filter_of(sample, static_cast<std::ptrdiff_t>(unit % height), run, inputs);
        const std::size_t at = (unit * width + run.begin) * channels_;
        Finish finish{.count = run.end - run.begin,
                      .outputs = channels_,
                      .bias = shift_.data(),
                      .stride = channels_,
                      .activation = activation_,
                      .out = frame.write(output_) + at};
        if (residual_ >= 0) finish.residual = frame.read(residual_) + at;
        frame.kernels->filter(filter, finish);
      }
    }
  }

 private:
  std::size_t taps() const noexcept { return static_cast<std::size_t>(y_.kernel * x_.kernel); }

  ChannelFilter filter_of(const float* sample,
                          std::ptrdiff_t y,
                          const AxisRun& run,
                          const float** inputs) const noexcept {
    const float** weights = inputs + taps();
    std::size_t count = 0;
    for (std::ptrdiff_t ky = y_.first_element(y, 0); ky < y_.first_element(y, y_.input); ++ky) {
      const std::ptrdiff_t row = y_.position(y, ky);
      for (std::ptrdiff_t kx = run.first; kx < run.last; ++kx) {
        const std::ptrdiff_t column = x_.position(static_cast<std::ptrdiff_t>(run.begin), kx);
        inputs[count] = sample + static_cast<std::size_t>(row * x_.input + column) * channels_;
        weights[count] =
            weights_.data() + static_cast<std::size_t>(ky * x_.kernel + kx) * channels_;
        ++count;
      }
    }
    return {.inputs = inputs,
            .weights = weights,
            .taps = count,
            .step = static_cast<std::size_t>(x_.stride) * channels_};
  }

  Activation activation_;
  int input_;
  int residual_;  // below 0 for none
  int output_;
  std::size_t batch_;
  std::size_t channels_;
  SlidingAxis y_;
  SlidingAxis x_;
  std::vector<AxisRun> runs_;   // of a row
  std::vector<float> weights_;  // (taps, channels), scaled
  std::vector<float> shift_;    // (channels)
};

}  // namespace

void make_depthwise(const StepRequest& request, const ConvShape& shape) {
  request.plan->add_step(
      std::make_unique<DepthwiseStep>(request, shape),
      {request.inputs[0].slot, request.fused.residual.slot, request.output.slot});
}

}  // namespace lastbit
