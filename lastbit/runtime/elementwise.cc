#include <algorithm>
#include <cmath>
#include <limits>

#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

// Operators on each value by itself: activations and Clip.

namespace lastbit {
namespace {

// Values that one unit takes.
constexpr std::size_t kBlock = 4096;

class ElementwiseStep : public Step {
 public:
  explicit ElementwiseStep(const StepRequest& request)
      : input_(request.inputs[0].slot),
        output_(request.output.slot),
        count_(static_cast<std::size_t>(element_count(request.output.shape))) {}

  std::size_t units() const noexcept override { return (count_ + kBlock - 1) / kBlock; }
  // A transcendental function takes several times as long as moving its value.
  double work() const noexcept override { return 4.0 * kMove * static_cast<double>(count_); }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    const std::size_t first = begin * kBlock;
    const std::size_t last = std::min(end * kBlock, count_);
    if (first >= last) return;
    float* values = frame.write(output_) + first;
    std::copy_n(frame.read(input_) + first, last - first, values);
    apply(frame, values, last - first);
  }

 private:
  virtual void apply(const Frame& frame, float* values, std::size_t count) const noexcept = 0;

  int input_;
  int output_;
  std::size_t count_;
};

class ActivationStep final : public ElementwiseStep {
 public:
  explicit ActivationStep(const StepRequest& request)
      : ElementwiseStep(request), activation_(activation_of(*request.node)) {}

 private:
  void apply(const Frame& frame, float* values, std::size_t count) const noexcept override {
    frame.kernels->activate(activation_, values, count);
  }

  Activation activation_;
};

class ClipStep final : public ElementwiseStep {
 public:
  explicit ClipStep(const StepRequest& request)
      : ElementwiseStep(request),
        low_(request.plan->slot_of(request.inputs[1])),
        high_(request.plan->slot_of(request.inputs[2])) {}

 private:
  // In ONNX's order: where the bounds cross, the upper one wins.
  void apply(const Frame& frame, float* values, std::size_t count) const noexcept override {
    const float low = low_ < 0 ? -std::numeric_limits<float>::infinity() : frame.read(low_)[0];
    const float high = high_ < 0 ? std::numeric_limits<float>::infinity() : frame.read(high_)[0];
    for (std::size_t i = 0; i < count; ++i) values[i] = std::min(std::max(values[i], low), high);
  }

  int low_;
  int high_;
};

// Integers lie as whole floats, so that a cast to them drops what comes after the point.
class CastStep final : public ElementwiseStep {
 public:
  explicit CastStep(const StepRequest& request)
      : ElementwiseStep(request),
        to_float_(int_attribute(*request.node, "to", 1) ==
                  static_cast<std::int64_t>(DType::kFloat)) {}

 private:
  void apply(const Frame& /*frame*/, float* values, std::size_t count) const noexcept override {
    if (to_float_) return;
    for (std::size_t i = 0; i < count; ++i) values[i] = std::trunc(values[i]);
  }

  bool to_float_;
};

}  // namespace

void make_cast(const StepRequest& request) {
  request.plan->add_step(std::make_unique<CastStep>(request),
                         {request.inputs[0].slot, request.output.slot});
}

void make_activation(const StepRequest& request) {
  request.plan->add_step(std::make_unique<ActivationStep>(request),
                         {request.inputs[0].slot, request.output.slot});
}

void make_clip(const StepRequest& request) {
  request.plan->add_step(std::make_unique<ClipStep>(request),
                         {request.inputs[0].slot,
                          request.plan->slot_of(request.inputs[1]),
                          request.plan->slot_of(request.inputs[2]),
                          request.output.slot});
}

}  // namespace lastbit
