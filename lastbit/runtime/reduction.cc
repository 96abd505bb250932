#include <algorithm>
#include <cmath>
#include <limits>

#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

// ReduceMax, ReduceSum and ReduceL2.

namespace lastbit {
namespace {

// A unit is a value of the result.
class ReductionStep final : public Step {
 public:
  explicit ReductionStep(const StepRequest& request)
      : op_(request.node->op == "ReduceMax"   ? Op::kMax
            : request.node->op == "ReduceSum" ? Op::kSum
                                              : Op::kLength),
        input_(request.inputs[0].slot),
        output_(request.output.slot) {
    const Shape& shape = request.inputs[0].shape;
    std::size_t stride = 1;
    for (std::size_t i = shape.size(); i-- > 0;) {
      const Axis axis = {.size = static_cast<std::size_t>(shape[i]), .stride = stride};
      stride *= axis.size;
      if (axis.size == 1) continue;
      // Axes are kept as ones: which are taken together shows in the shapes.
      const bool kept = request.output.shape[i] != 1;
      (kept ? kept_ : reduced_).push_back(axis);
      (kept ? units_ : terms_) *= axis.size;
    }
  }

  std::size_t units() const noexcept override { return units_; }
  double work() const noexcept override {
    return kMove * static_cast<double>(units_) * static_cast<double>(terms_);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    for (std::size_t unit = begin; unit < end; ++unit) {
      const float* const from = frame.read(input_) + offset_of(kept_, unit);
      float most = -std::numeric_limits<float>::infinity();
      double sum = 0.0;
      for (std::size_t i = 0; i < terms_; ++i) {
        const float value = from[offset_of(reduced_, i)];
        most = std::max(most, value);
        sum += op_ == Op::kLength ? static_cast<double>(value) * value : value;
      }
      frame.write(output_)[unit] = op_ == Op::kMax   ? most
                                   : op_ == Op::kSum ? static_cast<float>(sum)
                                                     : static_cast<float>(std::sqrt(sum));
    }
  }

 private:
  enum class Op : std::uint8_t { kMax, kSum, kLength };

  /// An axis of the input and the distance of neighbours along it.
  struct Axis {
    std::size_t size;
    std::size_t stride;
  };

  // Where element `index` of these axes, the innermost first, lies.
  static std::size_t offset_of(const std::vector<Axis>& axes, std::size_t index) noexcept {
    std::size_t offset = 0;
    for (const Axis& axis : axes) {
      offset += index % axis.size * axis.stride;
      index /= axis.size;
    }
    return offset;
  }

  Op op_;
  int input_;
  int output_;
  std::vector<Axis> kept_;
  std::vector<Axis> reduced_;
  std::size_t units_ = 1;
  std::size_t terms_ = 1;  // of a unit
};

}  // namespace

void make_reduction(const StepRequest& request) {
  request.plan->add_step(std::make_unique<ReductionStep>(request),
                         {request.inputs[0].slot, request.output.slot});
}

}  // namespace lastbit
