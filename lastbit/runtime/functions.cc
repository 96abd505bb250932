#include <algorithm>
#include <cmath>

#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

// Exp and Sqrt.

namespace lastbit {
namespace {

constexpr std::size_t kBlock = 4096;  // values that one unit takes

class FunctionStep final : public Step {
 public:
  explicit FunctionStep(const StepRequest& request)
      : root_(request.node->op == "Sqrt"),
        input_(request.inputs[0].slot),
        output_(request.output.slot),
        count_(static_cast<std::size_t>(element_count(request.output.shape))) {}

  std::size_t units() const noexcept override { return (count_ + kBlock - 1) / kBlock; }
  double work() const noexcept override { return 10.0 * kMove * static_cast<double>(count_); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    const float* const from = frame.read(input_);
    float* const to = frame.write(output_);
    for (std::size_t i = begin * kBlock; i < std::min(end * kBlock, count_); ++i) {
      to[i] = root_ ? std::sqrt(from[i]) : std::exp(from[i]);
    }
  }

 private:
  bool root_;
  int input_;
  int output_;
  std::size_t count_;
};

}  // namespace

void make_function(const StepRequest& request) {
  request.plan->add_step(std::make_unique<FunctionStep>(request),
                         {request.inputs[0].slot, request.output.slot});
}

}  // namespace lastbit
