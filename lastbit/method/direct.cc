#include "lastbit/method/direct.h"

#include <utility>

#include "lastbit/method/residuals.h"

namespace lastbit {
namespace {

class DirectCompression final : public Method {
 public:
  std::string_view name() const noexcept override { return "dc"; }

  void begin(Weights weights) override {
    w_ = std::move(weights);
    low_bit_ = project(w_.layers, w_.value);
  }

  // The reference does not move, so neither does its projection: only the gap is to be told.
  Residuals end_round(const Progress& /*at*/) override {
    torch::Tensor z = torch::empty_like(w_.value);
    decode(w_.layers, low_bit_, z);
    return residuals(w_.value, z, z, low_bit_, low_bit_, 0.0);
  }

  const std::vector<Quantized>& deployed() const noexcept override { return low_bit_; }
  std::map<std::string, torch::Tensor> state() const override { return {}; }
  void load(const std::map<std::string, torch::Tensor>& /*state*/) override {}

 private:
  Weights w_;
  std::vector<Quantized> low_bit_;
};

}  // namespace

std::unique_ptr<Method> make_direct_compression() { return std::make_unique<DirectCompression>(); }

}  // namespace lastbit
