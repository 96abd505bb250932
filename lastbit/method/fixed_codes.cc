#include "lastbit/method/fixed_codes.h"

#include <cstddef>
#include <utility>

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
    for (std::size_t i = 0; i < w_.layers.size(); ++i) {
      refit_scales(low_bit_[i], host.data_ptr<float>() + w_.layers[i].offset);
    }
    decode(w_.layers, low_bit_, w_.value);
  }

  Residuals end_round(const Progress& /*at*/) override { return {}; }
  torch::Tensor seen(const Progress& /*at*/) const override { return w_.value; }
  const std::vector<Quantized>& deployed() const noexcept override { return low_bit_; }

  std::map<std::string, torch::Tensor> state() const override {
    std::map<std::string, torch::Tensor> result;
    for (std::size_t i = 0; i < w_.layers.size(); ++i) {
      result["scales." + w_.layers[i].name] = torch::tensor(low_bit_[i].scales);
    }
    return result;
  }

  void load(const std::map<std::string, torch::Tensor>& state) override {
    for (std::size_t i = 0; i < w_.layers.size(); ++i) {
      const torch::Tensor scales = state.at("scales." + w_.layers[i].name).contiguous();
      low_bit_[i].scales.assign(scales.data_ptr<float>(),
                                scales.data_ptr<float>() + scales.numel());
    }
    decode(w_.layers, low_bit_, w_.value);
  }

 private:
  Weights w_;
  std::vector<Quantized> low_bit_;
};

}  // namespace

void refit_scales(Quantized& quantized, const float* weights) {
  if (quantized.per == Granularity::kNone) return;
  const ChannelLayout& layout = quantized.layout;
  // The weights of a channel that one scale serves.
  const bool by_tensor = quantized.per == Granularity::kTensor;
  const std::int64_t in_channel = layout.before * layout.after;
  const std::int64_t run = quantized.per == Granularity::kGroup ? quantized.group : in_channel;
  const std::size_t runs = quantized.scales.size() / static_cast<std::size_t>(layout.channels);
  std::vector<double> correlation(quantized.scales.size(), 0.0);
  std::vector<double> energy(quantized.scales.size(), 0.0);
  std::size_t i = 0;
  for (std::int64_t b = 0; b < layout.before; ++b) {
    for (std::int64_t c = 0; c < layout.channels; ++c) {
      for (std::int64_t a = 0; a < layout.after; ++a, ++i) {
        const double level = quantized.levels[quantized.codes[i]];
        const auto nth = static_cast<std::size_t>((b * layout.after + a) / run);
        const std::size_t group = by_tensor ? 0 : static_cast<std::size_t>(c) * runs + nth;
        correlation[group] += weights[i] * level;
        energy[group] += level * level;
      }
    }
  }
  for (std::size_t g = 0; g < correlation.size(); ++g) {
    if (correlation[g] > 0.0) quantized.scales[g] = static_cast<float>(correlation[g] / energy[g]);
  }
}

std::unique_ptr<Method> make_fixed_codes(std::vector<Quantized> start) {
  return std::make_unique<FixedCodes>(std::move(start));
}

}  // namespace lastbit
