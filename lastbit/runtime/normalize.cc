#include "lastbit/runtime/normalize.h"

#include <cmath>
#include <utility>

#include "lastbit/base/text.h"
#include "lastbit/base/vectorize.h"
#include "lastbit/runtime/affine.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"

namespace lastbit {
namespace {

LASTBIT_VECTORIZE void scale_and_shift(const float* __restrict from,
                                       const float* __restrict factor,
                                       const float* __restrict shift,
                                       std::size_t count,
                                       float* __restrict to) {
  for (std::size_t c = 0; c < count; ++c) to[c] = factor[c] * from[c] + shift[c];
}

// Values lie channels last; a unit is a pixel.
class NormalizationStep final : public Step {
 public:
  NormalizationStep(const StepRequest& request, ChannelAffine affine)
      : affine_(std::move(affine)),
        input_(request.inputs[0].slot),
        output_(request.output.slot),
        pixels_(static_cast<std::size_t>(element_count(request.output.shape)) /
                affine_.factor.size()) {}

  std::size_t units() const noexcept override { return pixels_; }
  double work() const noexcept override {
    return kMove * static_cast<double>(pixels_ * affine_.factor.size());
  }
  std::size_t weight_bytes() const noexcept override {
    return 2 * affine_.factor.size() * sizeof(float);
  }

  void run(const Frame& frame,
           std::size_t begin,
           std::size_t end,
           int /*worker*/) const noexcept override {
    const std::size_t channels = affine_.factor.size();
    for (std::size_t p = begin; p < end; ++p) {
      scale_and_shift(frame.read(input_) + p * channels,
                      affine_.factor.data(),
                      affine_.shift.data(),
                      channels,
                      frame.write(output_) + p * channels);
    }
  }

 private:
  ChannelAffine affine_;
  int input_;
  int output_;
  std::size_t pixels_;
};

}  // namespace

ChannelAffine normalization_of(const Node& node, std::span<const Operand> inputs) {
  const std::vector<float> scale = constant_floats(inputs[1]);
  const std::vector<float> bias = constant_floats(inputs[2]);
  const std::vector<float> mean = constant_floats(inputs[3]);
  const std::vector<float> variance = constant_floats(inputs[4]);
  const double epsilon = float_attribute(node, "epsilon", 1e-5F);
  ChannelAffine affine;
  for (std::size_t c = 0; c < scale.size(); ++c) {
    const double factor = scale[c] / std::sqrt(variance[c] + epsilon);
    affine.factor.push_back(static_cast<float>(factor));
    affine.shift.push_back(static_cast<float>(bias[c] - mean[c] * factor));
  }
  return affine;
}

void make_normalization(const StepRequest& request) {
  const std::span<const Operand> inputs(request.inputs);
  for (std::size_t i = 1; i < 5; ++i) {
    if (inputs[i].constant != nullptr) continue;
    refuse(*request.node, cat("input ", i + 1, " is computed, expected a constant"));
  }
  request.plan->add_step(
      std::make_unique<NormalizationStep>(request, normalization_of(*request.node, inputs)),
      {request.inputs[0].slot, request.output.slot});
}

}  // namespace lastbit
