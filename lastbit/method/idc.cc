#include <memory>
#include <utility>

#include "lastbit/method/lc.h"

namespace lastbit {
namespace {

// Iterated direct compression: train without penalty from the low-bit weights, project, and again.
// It is LC with mu = 0 in the L step (Carreira-Perpinan and Idelbayev 2017, part I, section 6.2):
//
//     w ~ argmin L(w) from z;   z = P(w);   w = z
class IteratedDirectCompression final : public Method {
 public:
  std::string_view name() const noexcept override { return "idc"; }

  void begin(Weights weights) override {
    w_ = std::move(weights);
    z_.begin(w_);
    first_ = true;
  }

  // The first round starts at DC, not at the reference, where there would be nothing to learn.
  void before_forward(const Progress& /*at*/, int /*pass*/) override {
    if (std::exchange(first_, false)) w_.value.copy_(z_.value());
  }

  Residuals end_round(const Progress& /*at*/) override {
    z_.project(w_.value);
    Residuals result = z_.residuals(w_.value, 0.0);
    w_.value.copy_(z_.value());
    return result;
  }

  bool restarts_optimizer() const noexcept override { return true; }
  torch::Tensor seen(const Progress& /*at*/) const override { return w_.value; }
  const std::vector<Quantized>& deployed() const noexcept override { return z_.quantized(); }

  std::map<std::string, torch::Tensor> state() const override {
    std::map<std::string, torch::Tensor> result;
    z_.save(result);
    return result;
  }
  void load(const std::map<std::string, torch::Tensor>& state) override {
    z_.load(state);
    first_ = false;
  }

 private:
  Weights w_;
  LowBitPoint z_;
  bool first_ = true;
};

}  // namespace

MethodInfo idc_method() {
  return {.name = "idc",
          .summary = "iterated direct compression: train, project, and again (Han et al. 2016)",
          .usual = {{"project-every", "1epoch"}},
          .paper = lc_training(),
          .make = [](const Settings& /*settings*/) -> std::unique_ptr<Method> {
            return std::make_unique<IteratedDirectCompression>();
          }};
}

}  // namespace lastbit
