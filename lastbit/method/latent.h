#pragma once

#include <map>
#include <string>
#include <vector>

#include "lastbit/method/method.h"

namespace lastbit {

/// What the methods share that keep latent weights v and let the network see w = map(v): mirror
/// descent in its stable forms, straight-through, relaxation and proximal methods.
///
/// Between steps `value` holds v, and it is v that the optimizer moves. In each pass `value` holds
/// map(v), so that the gradient is that at w; it is applied to v as it is (straight-through) unless
/// `chain` changes it.
class LatentMethod : public Method {
 public:
  void begin(Weights weights) override;
  void before_forward(const Progress& at, int pass) override;
  void after_backward(const Progress& at, int pass) override;
  Residuals end_round(const Progress& at) override;
  torch::Tensor seen(const Progress& at) const override;
  const std::vector<Quantized>& deployed() const noexcept override { return z_.quantized(); }
  std::map<std::string, torch::Tensor> state() const override;
  void load(const std::map<std::string, torch::Tensor>& state) override;

 protected:
  /// Called once, with `weights()` and `low_bit()` set; checks the sets and makes further state.
  virtual void start() {}
  /// Writes what the network is to see for `latent` into `seen`; both (total), never the same
  /// memory.
  virtual void map(const Progress& at, const torch::Tensor& latent, torch::Tensor& seen) const = 0;
  /// Turns the gradient at map(latent) into that by which the latent moves, in place.
  virtual void chain(const Progress& /*at*/,
                     const torch::Tensor& /*latent*/,
                     torch::Tensor& /*gradient*/) {}
  /// Moves `low_bit()` to what `latent` (total) stands for: its projection where nothing else is
  /// said.
  virtual void round(const Progress& at, const torch::Tensor& latent, LowBitPoint& low_bit);
  /// Residuals::penalty.
  virtual double penalty(const Progress& /*at*/) const { return 0.0; }
  /// State beside the latent weights and the low-bit point.
  virtual void save(std::map<std::string, torch::Tensor>& /*state*/) const {}
  virtual void restore(const std::map<std::string, torch::Tensor>& /*state*/) {}

  const Weights& weights() const noexcept { return weights_; }
  Weights& weights() noexcept { return weights_; }
  const LowBitPoint& low_bit() const noexcept { return z_; }
  LowBitPoint& low_bit() noexcept { return z_; }
  /// The latent weights (total) during a pass, when `value` holds map(latent).
  const torch::Tensor& latent() const noexcept { return latent_; }

 private:
  Weights weights_;
  LowBitPoint z_;
  torch::Tensor latent_;  // (total) valid during a pass
};

}  // namespace lastbit
