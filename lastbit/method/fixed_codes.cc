#include "lastbit/method/fixed_codes.h"

#include <cstddef>
#include <utility>

#include "lastbit/method/refit.h"

namespace lastbit {
namespace {

class FixedCodes final : public Method {
 public:
  explicit FixedCodes(std::vector<Quantized> start) : low_bit_(std::move(start)) {}

  std::string_view name() const noexcept override { return "fixed-codes"; }

  void begin(Weights weights) override {
    w_ = std::move(weights);
    decode(w_.layers, low_bit_, w_.value);
  }

  void after_step(const Progress& /*at*/) override {
    const torch::Tensor host = w_.value.to(torch::kCPU);
    refit(w_.layers, low_bit_, host.data_ptr<float>());
    decode(w_.layers, low_bit_, w_.value);
  }

  Residuals end_round(const Progress& /*at*/) override { return {}; }
  torch::Tensor seen(const Progress& /*at*/) const override { return w_.value; }
  const std::vector<Quantized>& deployed() const noexcept override { return low_bit_; }

  std::map<std::string, torch::Tensor> state() const override {
    std::map<std::string, torch::Tensor> result;
    for (std::size_t i = 0; i < w_.layers.size(); ++i) {
      const auto levels = low_bit_[i].levels.levels();
      result["scales." + w_.layers[i].name] = torch::tensor(low_bit_[i].scales);
      result["levels." + w_.layers[i].name] =
          torch::tensor(std::vector<float>(levels.begin(), levels.end()));
    }
    return result;
  }

  void load(const std::map<std::string, torch::Tensor>& state) override {
    for (std::size_t i = 0; i < w_.layers.size(); ++i) {
      low_bit_[i].scales = floats(state.at("scales." + w_.layers[i].name));
      low_bit_[i].levels = Codebook(floats(state.at("levels." + w_.layers[i].name)));
    }
    decode(w_.layers, low_bit_, w_.value);
  }

 private:
  Weights w_;
  std::vector<Quantized> low_bit_;
};

}  // namespace

std::unique_ptr<Method> make_fixed_codes(std::vector<Quantized> start) {
  return std::make_unique<FixedCodes>(std::move(start));
}

}  // namespace lastbit
