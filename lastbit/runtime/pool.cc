#include <algorithm>
#include <limits>
#include <utility>

#include "lastbit/base/vectorize.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"
#include "lastbit/runtime/plane.h"

// MaxPool, AveragePool and GlobalAveragePool, of values that lie channels last.

namespace lastbit {
namespace {

LASTBIT_VECTORIZE void add_up(const float* __restrict from,
                              std::size_t count,
                              float* __restrict to) {
  for (std::size_t c = 0; c < count; ++c) to[c] += from[c];
}

// Elements of the window, for each result, that lie in the input (or its padding, if `padded`).
std::vector<float> window_counts(const SlidingAxis& axis, bool padded) {
  const std::ptrdiff_t low = padded ? -axis.pad_begin : 0;
  const std::ptrdiff_t high = padded ? axis.input + axis.pad_end : axis.input;
  std::vector<float> counts(static_cast<std::size_t>(axis.output), 0.0F);
  for (std::ptrdiff_t o = 0; o < axis.output; ++o) {
    counts[static_cast<std::size_t>(o)] =
        static_cast<float>(axis.first_element(o, high) - axis.first_element(o, low));
  }
  return counts;
}

// A unit is a row of results.
class PoolStep : public Step {
 public:
  explicit PoolStep(const StepRequest& request)
      : input_(request.inputs[0].slot), output_(request.output.slot) {
    const Shape& input = request.inputs[0].shape;
    const std::vector<SlidingAxis> axes = sliding_axes(window_of(*request.node, input), input);
    y_ = axes[0];
    x_ = axes[1];
    batch_ = static_cast<std::size_t>(input[0]);
    channels_ = static_cast<std::size_t>(input[1]);
  }

  std::size_t units() const noexcept override {
    return batch_ * static_cast<std::size_t>(y_.output);
  }
  double work() const noexcept override {
    return kMove * static_cast<double>(units() * channels_) *
           static_cast<double>(x_.output * y_.kernel * x_.kernel);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int worker) const noexcept override {
    const auto height = static_cast<std::size_t>(y_.output);
    const auto width = static_cast<std::size_t>(x_.output);
    const auto plane = static_cast<std::size_t>(y_.input * x_.input) * channels_;
    for (std::size_t unit = begin; unit < end; ++unit) {
      run_row(frame,
              frame.read(input_) + unit / height * plane,
              unit % height,
              worker,
              frame.write(output_) + unit * width * channels_);
    }
  }

 protected:
  virtual void run_row(const Frame& frame,
                       const float* sample,
                       std::size_t y,
                       int worker,
                       float* out) const noexcept = 0;

  const float* pixel(const float* sample,
                     std::ptrdiff_t row,
                     std::ptrdiff_t column) const noexcept {
    return sample + static_cast<std::size_t>(row * x_.input + column) * channels_;
  }

  int input_;
  int output_;
  SlidingAxis y_;
  SlidingAxis x_;
  std::size_t batch_ = 1;
  std::size_t channels_ = 1;
};

class MaxPoolStep final : public PoolStep {
 public:
  explicit MaxPoolStep(const StepRequest& request) : PoolStep(request), runs_(runs_of(x_)) {}

  // A pointer a tap.
  std::size_t scratch_floats() const noexcept override {
    return static_cast<std::size_t>(std::min(y_.kernel, y_.input) * std::min(x_.kernel, x_.input)) *
           sizeof(const float*) / sizeof(float);
  }

 private:
  void run_row(const Frame& frame,
               const float* sample,
               std::size_t y,
               int worker,
               float* out) const noexcept override {
    auto* taps = reinterpret_cast<const float**>(frame.scratch_of(worker));
    for (const AxisRun& run : runs_) {
      std::size_t count = 0;
      const auto at_y = static_cast<std::ptrdiff_t>(y);
      for (std::ptrdiff_t ky = y_.first_element(at_y, 0); ky < y_.first_element(at_y, y_.input);
           ++ky) {
        const std::ptrdiff_t row = y_.position(at_y, ky);
        for (std::ptrdiff_t kx = run.first; kx < run.last; ++kx) {
          taps[count++] =
              pixel(sample, row, x_.position(static_cast<std::ptrdiff_t>(run.begin), kx));
        }
      }
      const std::size_t results = run.end - run.begin;
      float* to = out + run.begin * channels_;
      if (count == 0) {  // windows in the padding alone
        std::fill_n(to, results * channels_, -std::numeric_limits<float>::infinity());
        continue;
      }
      const ChannelWindow window{
          .inputs = taps, .taps = count, .step = static_cast<std::size_t>(x_.stride) * channels_};
      frame.kernels->largest(window, results, channels_, to);
    }
  }

  std::vector<AxisRun> runs_;
};

class AveragePoolStep final : public PoolStep {
 public:
  explicit AveragePoolStep(const StepRequest& request) : PoolStep(request) {
    const bool padded = int_attribute(*request.node, "count_include_pad", 0) != 0;
    y_counts_ = window_counts(y_, padded);
    x_counts_ = window_counts(x_, padded);
  }

 private:
  void run_row(const Frame& /*frame*/,
               const float* sample,
               std::size_t y,
               int /*worker*/,
               float* out) const noexcept override {
    for (std::size_t x = 0; x < static_cast<std::size_t>(x_.output); ++x, out += channels_) {
      std::fill_n(out, channels_, 0.0F);
      const auto at_y = static_cast<std::ptrdiff_t>(y);
      const auto at_x = static_cast<std::ptrdiff_t>(x);
      for (std::ptrdiff_t ky = y_.first_element(at_y, 0); ky < y_.first_element(at_y, y_.input);
           ++ky) {
        for (std::ptrdiff_t kx = x_.first_element(at_x, 0); kx < x_.first_element(at_x, x_.input);
             ++kx) {
          add_up(pixel(sample, y_.position(at_y, ky), x_.position(at_x, kx)), channels_, out);
        }
      }
      // A window in the padding alone has no elements and the mean 0.
      const float count = std::max(1.0F, y_counts_[y] * x_counts_[x]);
      for (std::size_t c = 0; c < channels_; ++c) out[c] /= count;
    }
  }

  std::vector<float> y_counts_;  // (output height)
  std::vector<float> x_counts_;  // (output width)
};

// A unit is a sample.
class GlobalPoolStep final : public Step {
 public:
  explicit GlobalPoolStep(const StepRequest& request)
      : input_(request.inputs[0].slot),
        output_(request.output.slot),
        batch_(static_cast<std::size_t>(request.inputs[0].shape[0])),
        channels_(static_cast<std::size_t>(request.inputs[0].shape[1])),
        area_(static_cast<std::size_t>(element_count(request.inputs[0].shape)) / batch_ /
              channels_) {}

  std::size_t units() const noexcept override { return batch_; }
  double work() const noexcept override {
    return kMove * static_cast<double>(batch_ * channels_ * area_);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    // Sums of so many rows are exact to a few bits; the sums of such parts are added to each other.
    constexpr std::size_t kPart = 16;
    for (std::size_t sample = begin; sample < end; ++sample) {
      const float* from = frame.read(input_) + sample * area_ * channels_;
      float* to = frame.write(output_) + sample * channels_;
      float part[kBlockOutputs];
      for (std::size_t c = 0; c < channels_; c += kBlockOutputs) {
        const std::size_t count = std::min(kBlockOutputs, channels_ - c);
        std::fill_n(to + c, count, 0.0F);
        for (std::size_t i = 0; i < area_;) {
          std::fill_n(part, count, 0.0F);
          const std::size_t stop = std::min(area_, i + kPart);
          for (; i < stop; ++i) add_up(from + i * channels_ + c, count, part);
          add_up(part, count, to + c);
        }
        for (std::size_t j = 0; j < count; ++j) to[c + j] /= static_cast<float>(area_);
      }
    }
  }

 private:
  int input_;
  int output_;
  std::size_t batch_;
  std::size_t channels_;
  std::size_t area_;
};

}  // namespace

void make_pool(const StepRequest& request) {
  std::unique_ptr<const Step> step;
  if (request.node->op == "MaxPool") {
    step = std::make_unique<MaxPoolStep>(request);
  } else {
    step = std::make_unique<AveragePoolStep>(request);
  }
  request.plan->add_step(std::move(step), {request.inputs[0].slot, request.output.slot});
}

void make_global_pool(const StepRequest& request) {
  request.plan->add_step(std::make_unique<GlobalPoolStep>(request),
                         {request.inputs[0].slot, request.output.slot});
}

}  // namespace lastbit
