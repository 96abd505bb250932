#include <algorithm>
#include <limits>

#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plane.h"

// MaxPool, AveragePool and GlobalAveragePool. A unit is a plane: one channel of one sample.

namespace lastbit {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// Elements of the window, for each result, that lie in the input (or its padding, if `padded`).
std::vector<float> window_counts(const SlidingAxis& axis, bool padded) {
  const std::ptrdiff_t low = padded ? -axis.pad_begin : 0;
  const std::ptrdiff_t high = padded ? axis.input + axis.pad_end : axis.input;
  std::vector<float> counts(static_cast<std::size_t>(axis.output), 0.0F);
  for (std::ptrdiff_t o = 0; o < axis.output; ++o) {
    for (std::ptrdiff_t k = 0; k < axis.kernel; ++k) {
      const std::ptrdiff_t at = axis.position(o, k);
      if (at >= low && at < high) counts[static_cast<std::size_t>(o)] += 1.0F;
    }
  }
  return counts;
}

class PoolStep final : public Step {
 public:
  explicit PoolStep(const StepRequest& request)
      : maximum_(request.node->op == "MaxPool"),
        input_(request.inputs[0].slot),
        output_(request.output.slot) {
    const Shape& input = request.inputs[0].shape;
    const std::vector<SlidingAxis> axes = sliding_axes(window_of(*request.node, input), input);
    y_ = axes[0];
    x_ = axes[1];
    planes_ = static_cast<std::size_t>(input[0] * input[1]);
    const bool padded = int_attribute(*request.node, "count_include_pad", 0) != 0;
    y_counts_ = window_counts(y_, padded);
    x_counts_ = window_counts(x_, padded);
  }

  std::size_t units() const noexcept override { return planes_; }
  double work() const noexcept override {
    return static_cast<double>(planes_) *
           static_cast<double>(y_.output * x_.output * y_.kernel * x_.kernel);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    for (std::size_t plane = begin; plane < end; ++plane) {
      const float* from =
          frame.read(input_) + plane * static_cast<std::size_t>(y_.input * x_.input);
      float* to = frame.write(output_) + plane * static_cast<std::size_t>(y_.output * x_.output);
      for (std::ptrdiff_t y = 0; y < y_.output; ++y, to += x_.output) pool_row(from, y, to);
    }
  }

 private:
  void pool_row(const float* plane, std::ptrdiff_t y, float* to) const noexcept {
    std::fill_n(to, x_.output, maximum_ ? kLowest : 0.0F);
    for (std::ptrdiff_t ky = 0; ky < y_.kernel; ++ky) {
      const std::ptrdiff_t row = y_.position(y, ky);
      if (row < 0 || row >= y_.input) continue;
      for (std::ptrdiff_t kx = 0; kx < x_.kernel; ++kx) {
        add_element(plane + row * x_.input, kx, to);
      }
    }
    if (maximum_) return;
    const float rows = y_counts_[static_cast<std::size_t>(y)];
    for (std::ptrdiff_t x = 0; x < x_.output; ++x) {
      // A window in the padding alone has no elements and the mean 0.
      to[x] /= std::max(1.0F, rows * x_counts_[static_cast<std::size_t>(x)]);
    }
  }

  // One element of the window for all results of a row, which is simpler for the compiler's vectors
  // than all elements for one result.
  void add_element(const float* row, std::ptrdiff_t kx, float* to) const noexcept {
    const std::ptrdiff_t begin = x_.begin(kx);
    const std::ptrdiff_t end = x_.end(kx);
    const std::ptrdiff_t start = x_.position(0, kx);
    const std::ptrdiff_t stride = x_.stride;
    if (maximum_) {
      for (std::ptrdiff_t x = begin; x < end; ++x) to[x] = std::max(to[x], row[start + x * stride]);
    } else {
      for (std::ptrdiff_t x = begin; x < end; ++x) to[x] += row[start + x * stride];
    }
  }

  bool maximum_;
  int input_;
  int output_;
  SlidingAxis y_;
  SlidingAxis x_;
  std::size_t planes_ = 0;
  std::vector<float> y_counts_;  // (output height)
  std::vector<float> x_counts_;  // (output width)
};

class GlobalPoolStep final : public Step {
 public:
  explicit GlobalPoolStep(const StepRequest& request)
      : input_(request.inputs[0].slot),
        output_(request.output.slot),
        planes_(static_cast<std::size_t>(element_count(request.output.shape))),
        area_(static_cast<std::size_t>(element_count(request.inputs[0].shape)) / planes_) {}

  std::size_t units() const noexcept override { return planes_; }
  double work() const noexcept override { return static_cast<double>(planes_ * area_); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    for (std::size_t plane = begin; plane < end; ++plane) {
      const float* from = frame.read(input_) + plane * area_;
      double sum = 0.0;
      for (std::size_t i = 0; i < area_; ++i) sum += from[i];
      frame.write(output_)[plane] = static_cast<float>(sum / static_cast<double>(area_));
    }
  }

 private:
  int input_;
  int output_;
  std::size_t planes_;
  std::size_t area_;
};

}  // namespace

std::unique_ptr<const Step> make_pool(const StepRequest& request) {
  return std::make_unique<PoolStep>(request);
}

std::unique_ptr<const Step> make_global_pool(const StepRequest& request) {
  return std::make_unique<GlobalPoolStep>(request);
}

}  // namespace lastbit
