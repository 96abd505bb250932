#include <algorithm>
#include <cmath>

#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

// Softmax and LogSoftmax.

namespace lastbit {
namespace {

class SoftmaxStep final : public Step {
 public:
  explicit SoftmaxStep(const StepRequest& request)
      : logarithm_(request.node->op == "LogSoftmax"),
        input_(request.inputs[0].slot),
        output_(request.output.slot) {
    const Shape& shape = request.output.shape;
    const auto rank = static_cast<std::int64_t>(shape.size());
    const std::int64_t axis = int_attribute(*request.node, "axis", -1);
    const auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
    for (std::size_t i = 0; i < at; ++i) outer_ *= static_cast<std::size_t>(shape[i]);
    size_ = static_cast<std::size_t>(shape[at]);
    for (std::size_t i = at + 1; i < shape.size(); ++i)
      inner_ *= static_cast<std::size_t>(shape[i]);
  }

  std::size_t units() const noexcept override { return outer_; }
  double work() const noexcept override {
    return 10.0 * kMove * static_cast<double>(outer_ * size_) * static_cast<double>(inner_);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    for (std::size_t unit = begin; unit < end; ++unit) {
      for (std::size_t i = 0; i < inner_; ++i) {
        const std::size_t first = unit * size_ * inner_ + i;
        normalize(frame.read(input_) + first, frame.write(output_) + first);
      }
    }
  }

 private:
  // The maximum is taken off first, so that no exponential overflows.
  void normalize(const float* from, float* to) const noexcept {
    float largest = from[0];
    for (std::size_t k = 1; k < size_; ++k) largest = std::max(largest, from[k * inner_]);
    double sum = 0.0;
    for (std::size_t k = 0; k < size_; ++k) {
      const float e = std::exp(from[k * inner_] - largest);
      to[k * inner_] = e;
      sum += e;
    }
    const auto log_sum = static_cast<float>(std::log(sum));
    const auto factor = static_cast<float>(1.0 / sum);
    for (std::size_t k = 0; k < size_; ++k) {
      to[k * inner_] = logarithm_ ? from[k * inner_] - largest - log_sum : to[k * inner_] * factor;
    }
  }

  bool logarithm_;
  int input_;
  int output_;
  std::size_t outer_ = 1;
  std::size_t size_ = 1;
  std::size_t inner_ = 1;
};

}  // namespace

void make_softmax(const StepRequest& request) {
  request.plan->add_step(std::make_unique<SoftmaxStep>(request),
                         {request.inputs[0].slot, request.output.slot});
}

}  // namespace lastbit
