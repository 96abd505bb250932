#include "lastbit/train/deployed.h"

namespace lastbit {

Deployed::Deployed(Network& network, const std::vector<Quantized>& low_bit)
    : weights_(network.constrained()), saved_(weights_.value.clone()) {
  decode(weights_.layers, low_bit, weights_.value);
}

Deployed::~Deployed() { weights_.value.copy_(saved_); }

}  // namespace lastbit
