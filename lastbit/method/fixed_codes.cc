#include "lastbit/method/fixed_codes.h"

#include <cstddef>
#include <utility>

#include "lastbit/method/device_refit.h"
#include "lastbit/method/refit.h"

namespace lastbit {
namespace {

class FixedCodes final : public Method {
 public:
  explicit FixedCodes(std::vector<Quantized> start) : low_bit_(std::move(start)) {}

  std::string_view name() const noexcept override { return "fixed-codes"; }

  void begin(Weights weights) override {
    w_ = std::move(weights);
    start();
  }

  void after_step(const Progress& /*at*/) override {
    if (there_ != nullptr) {
      there_->move(w_.value);
      moved_there_ = true;
      return;
    }
    const torch::Tensor host = w_.value.to(torch::kCPU);
    refit(w_.layers, low_bit_, host.data_ptr<float>());
    decode(w_.layers, low_bit_, w_.value);
  }

  Residuals end_round(const Progress& /*at*/) override { return {}; }
  torch::Tensor seen(const Progress& /*at*/) const override { return w_.value; }
  const std::vector<Quantized>& deployed() const noexcept override {
    catch_up();
    return low_bit_;
  }

  std::map<std::string, torch::Tensor> state() const override {
    catch_up();
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
    start();
  }

 private:
  void start() {
    decode(w_.layers, low_bit_, w_.value);
    moved_there_ = false;
    if (!w_.value.is_cpu()) there_ = DeviceRefit::make(w_.layers, low_bit_, w_.value.device());
  }

  // With the scales and levels of the device, which are read when they are asked for.
  void catch_up() const {
    if (!moved_there_) return;
    there_->read(low_bit_);
    moved_there_ = false;
  }

  Weights w_;
  mutable std::vector<Quantized> low_bit_;
  std::unique_ptr<DeviceRefit> there_;  // null where refit() does it
  mutable bool moved_there_ = false;
};

}  // namespace

std::unique_ptr<Method> make_fixed_codes(std::vector<Quantized> start) {
  return std::make_unique<FixedCodes>(std::move(start));
}

}  // namespace lastbit
