#include <algorithm>
#include <utility>

#include "lastbit/base/text.h"
#include "lastbit/runtime/affine.h"
#include "lastbit/runtime/aligned_bytes.h"
#include "lastbit/runtime/conv_shape.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"
#include "lastbit/runtime/plane.h"

namespace lastbit {
namespace {

// Channels of a block at most: its weights and some rows of its inputs stay in the nearest cache.
constexpr std::size_t kBlockChannels = 256;

// Neighbouring pixels of a row, all of them in the input or none.
struct PixelRun {
  std::ptrdiff_t column = 0;  // of the first; -1 beyond the input
  std::size_t count = 0;

  std::ptrdiff_t next() const noexcept {
    return column < 0 ? -1 : column + static_cast<std::ptrdiff_t>(count);
  }
};

// The pixels of all windows of a row of results, `step` from one window to the next.
std::vector<PixelRun> pixel_runs(const SlidingAxis& axis, std::ptrdiff_t step) {
  std::vector<PixelRun> runs;
  const std::ptrdiff_t pixels = (axis.output - 1) * step + axis.kernel;
  for (std::ptrdiff_t i = 0; i < pixels; ++i) {
    const std::ptrdiff_t result = std::min(i / step, axis.output - 1);
    const std::ptrdiff_t position = axis.position(result, i - result * step);
    const std::ptrdiff_t column =
        position < axis.input ? std::max<std::ptrdiff_t>(-1, position) : -1;
    if (runs.empty() || column != runs.back().next()) runs.push_back({.column = column});
    ++runs.back().count;
  }
  return runs;
}

// One filter a channel, of floats in either mode: there is too little to gain in integers. Its
// input and its result may lie as bytes, whose steps are part of weights and shifts then. Beyond
// the input a window has a pixel of zeros, so that no copy with a border is needed. A unit is a row
// of results of a block of channels; the row runs fastest.
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
        x_(shape.x) {
    input_step_ = request.inputs[0].step;
    output_step_ = request.output.step;
    OutputAffine affine(
        std::vector<float>(channels_, 1.0F), constant_floats(request.inputs[2]), request.fused);
    if (output_step_ > 0.0F) activation_ = affine.count_in(output_step_, activation_);
    const float unit = input_step_ > 0.0F ? input_step_ : 1.0F;
    shift_ = std::move(affine.shift);
    const std::vector<float> weights = constant_floats(request.inputs[1]);
    const std::size_t blocks = (channels_ + kBlockChannels - 1) / kBlockChannels;
    const std::size_t words = (channels_ + kWordOutputs - 1) / kWordOutputs;
    block_ = (words + blocks - 1) / blocks * kWordOutputs;
    weights_ = AlignedBytes(weights.size() * sizeof(float));
    auto* to = reinterpret_cast<float*>(weights_.data());
    for (std::size_t first = 0; first < channels_; first += block_) {
      for (std::size_t tap = 0; tap < taps(); ++tap) {
        for (std::size_t c = first; c < std::min(channels_, first + block_); ++c) {
          *to++ = weights[c * taps() + tap] * affine.scale[c] * unit;
        }
      }
    }
    // Neighbouring windows share pixels where these follow each other.
    const std::ptrdiff_t step = x_.dilation == 1 && x_.stride < x_.kernel ? x_.stride : x_.kernel;
    step_ = static_cast<std::size_t>(step);
    row_ = static_cast<std::size_t>((x_.output - 1) * step + x_.kernel);
    runs_ = pixel_runs(x_, step);
    zeros_.resize(block_);
  }

  std::size_t units() const noexcept override { return (channels_ + block_ - 1) / block_ * rows(); }
  double work() const noexcept override { return kMove / 4.0 * products(); }
  double products() const noexcept override {
    return static_cast<double>(rows() * static_cast<std::size_t>(x_.output)) *
           static_cast<double>(channels_ * taps());
  }
  // A pointer for each pixel of a row of windows.
  std::size_t scratch_floats() const noexcept override {
    const auto rows = static_cast<std::size_t>(std::min(y_.kernel, y_.input));
    return rows * row_ * sizeof(const void*) / sizeof(float);
  }
  std::size_t weight_bytes() const noexcept override {
    return weights_.size() + shift_.size() * sizeof(float);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int worker) const noexcept override {
    const auto width = static_cast<std::size_t>(x_.output);
    for (std::size_t unit = begin; unit < end; ++unit) {
      const Place at{.channel = unit / rows() * block_, .row = unit % rows()};
      const std::size_t out = at.row * width * channels_ + at.channel;
      Finish finish{.count = width,
                    .outputs = std::min(block_, channels_ - at.channel),
                    .bias = shift_.data() + at.channel,
                    .stride = channels_,
                    .activation = activation_};
      if (output_step_ > 0.0F) {
        finish.bytes = frame.write_as<std::uint8_t>(output_) + out;
      } else {
        finish.out = frame.write(output_) + out;
      }
      if (residual_ >= 0) finish.residual = frame.read(residual_) + out;
      float* scratch = frame.scratch_of(worker);
      if (input_step_ > 0.0F) {
        const auto* input = frame.read_as<std::uint8_t>(input_);
        frame.kernels->filter_bytes(filter_of(input, at, finish.outputs, scratch), finish);
      } else {
        frame.kernels->filter(filter_of(frame.read(input_), at, finish.outputs, scratch), finish);
      }
    }
  }

 private:
  // Of a unit.
  struct Place {
    std::size_t channel = 0;  // the first
    std::size_t row = 0;      // of the results of all samples
  };

  std::size_t taps() const noexcept { return static_cast<std::size_t>(y_.kernel * x_.kernel); }
  std::size_t rows() const noexcept { return batch_ * static_cast<std::size_t>(y_.output); }

  // The windows of a row of results, without what of them lies above or below the input.
  template <typename Input>
  ChannelFilter<Input> filter_of(const Input* input,
                                 const Place& at,
                                 std::size_t channels,
                                 void* scratch) const noexcept {
    const auto height = static_cast<std::size_t>(y_.output);
    const auto y = static_cast<std::ptrdiff_t>(at.row % height);
    const auto sample = static_cast<std::ptrdiff_t>(at.row / height) * y_.input;
    const std::ptrdiff_t first = y_.first_element(y, 0);
    const std::ptrdiff_t last = std::max(first, y_.first_element(y, y_.input));
    auto** pixels = static_cast<const Input**>(scratch);
    const Input** to = pixels;
    for (std::ptrdiff_t ky = first; ky < last; ++ky) {
      const auto row = static_cast<std::size_t>((sample + y_.position(y, ky)) * x_.input);
      const Input* from = input + row * channels_ + at.channel;
      for (const PixelRun& run : runs_) {
        const bool inside = run.column >= 0;
        const Input* pixel = inside ? from + static_cast<std::size_t>(run.column) * channels_
                                    : reinterpret_cast<const Input*>(zeros_.data());
        const std::size_t next = inside ? channels_ : 0;
        for (std::size_t i = 0; i < run.count; ++i, pixel += next) *to++ = pixel;
      }
    }
    return {.pixels = pixels,
            .row = row_,
            .step = step_,
            .weights = reinterpret_cast<const float*>(weights_.data()) + at.channel * taps() +
                       static_cast<std::size_t>(first * x_.kernel) * channels,
            .height = static_cast<std::size_t>(last - first),
            .width = static_cast<std::size_t>(x_.kernel)};
  }

  Activation activation_;
  int input_;
  int residual_;  // below 0 for none
  int output_;
  std::size_t batch_;
  std::size_t channels_;
  SlidingAxis y_;
  SlidingAxis x_;
  float input_step_;            // 0 for floats
  float output_step_;           // 0 for floats
  std::size_t block_;           // channels of a block
  std::size_t step_;            // pixels from one window to the next
  std::size_t row_;             // pixels of the windows of a row of results
  std::vector<PixelRun> runs_;  // of an input row, for a row of results
  AlignedBytes weights_;        // floats: (blocks), of each (taps, channels), scaled
  std::vector<float> shift_;    // (channels)
  std::vector<float> zeros_;    // (block's channels), a pixel beyond the input
};

}  // namespace

void make_depthwise(const StepRequest& request, const ConvShape& shape) {
  const std::size_t sizes[] = {static_cast<std::size_t>(std::min(shape.y.kernel, shape.y.input)),
                               static_cast<std::size_t>(shape.x.output),
                               static_cast<std::size_t>(shape.x.kernel),
                               sizeof(const void*) / sizeof(float)};
  request.plan->check_memory(cat("the row of windows of node ", describe(*request.node)), sizes);
  request.plan->add_step(
      std::make_unique<DepthwiseStep>(request, shape),
      {request.inputs[0].slot, request.fused.residual.slot, request.output.slot});
}

}  // namespace lastbit
