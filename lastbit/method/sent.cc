#include "lastbit/method/sent.h"

#include <algorithm>
#include <cstdint>

namespace lastbit {

torch::Tensor sent_to(torch::Device device, const torch::Tensor& tensor) {
  if (!device.is_cuda()) return tensor.to(device);
  return tensor.pin_memory().to(device, /*non_blocking=*/true);
}

torch::Tensor sent_to(torch::Device device, std::span<const float> values) {
  const torch::Tensor host =
      torch::empty({static_cast<std::int64_t>(values.size())},
                   torch::TensorOptions(torch::kFloat32).pinned_memory(device.is_cuda()));
  std::copy(values.begin(), values.end(), host.data_ptr<float>());
  return sent_to(device, host);
}

}  // namespace lastbit
