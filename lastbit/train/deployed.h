#pragma once

#include <vector>

#include <torch/types.h>

#include "lastbit/method/weights.h"
#include "lastbit/quant/quantized.h"
#include "lastbit/train/network.h"

namespace lastbit {

/// Puts low-bit weights into a network's float weights' place for as long as it lives.
class Deployed {
 public:
  Deployed(Network& network, const std::vector<Quantized>& low_bit);
  Deployed(const Deployed&) = delete;
  Deployed& operator=(const Deployed&) = delete;
  ~Deployed();

 private:
  torch::NoGradGuard no_gradient_;
  Weights weights_;
  torch::Tensor saved_;
};

}  // namespace lastbit
