#include "lastbit/method/direct.h"

#include <utility>

#include "lastbit/method/registry.h"

namespace lastbit {
namespace {

class DirectCompression final : public Method {
 public:
  std::string_view name() const noexcept override { return "dc"; }

  void begin(Weights weights) override {
    w_ = std::move(weights);
    z_.begin(w_);
  }

  // The reference does not move, so neither does its projection: only the gap is to be told.
  Residuals end_round(const Progress& /*at*/) override { return z_.residuals(w_.value, 0.0); }

  torch::Tensor seen(const Progress& /*at*/) const override { return w_.value; }
  const std::vector<Quantized>& deployed() const noexcept override { return z_.quantized(); }
  std::map<std::string, torch::Tensor> state() const override {
    std::map<std::string, torch::Tensor> result;
    z_.save(result);
    return result;
  }
  void load(const std::map<std::string, torch::Tensor>& state) override { z_.load(state); }

 private:
  Weights w_;
  LowBitPoint z_;
};

}  // namespace

std::unique_ptr<Method> make_direct_compression() { return std::make_unique<DirectCompression>(); }

MethodInfo dc_method() {
  return {.name = "dc",
          .summary = "direct compression: project the reference, no training, no data",
          .trains = false,
          .usual = {{"finish-epochs", "0"}},
          .make = [](const Settings& /*settings*/) { return make_direct_compression(); }};
}

}  // namespace lastbit
