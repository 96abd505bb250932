#pragma once

#include <span>

#include <torch/types.h>

namespace lastbit {

/// `tensor` of the host on `device`: to a CUDA device from pinned memory, so that neither side
/// waits for the other, in the order of what the device has to do.
torch::Tensor sent_to(torch::Device device, const torch::Tensor& tensor);

/// The same of (values.size()) float32.
torch::Tensor sent_to(torch::Device device, std::span<const float> values);

}  // namespace lastbit
