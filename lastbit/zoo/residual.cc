#include "lastbit/zoo/residual.h"

namespace lastbit {

void append_basic_block(NetworkBuilder& network,
                        const std::string& block,
                        std::int64_t channels,
                        std::int64_t stride) {
  const NetworkBuilder::Place input = network.here();
  network.convolution(block + ".conv1", channels, {.kernel = 3, .stride = stride, .pad = 1});
  network.batch_norm(block + ".bn1");
  network.activation(block + ".act1");
  network.convolution(block + ".conv2", channels, {.kernel = 3, .pad = 1, .rectified = false});
  network.batch_norm(block + ".bn2");
  NetworkBuilder::Place shortcut = input;
  if (stride != 1 || input.sample.front() != channels) {
    const NetworkBuilder::Place result = network.here();
    network.resume(input);
    if (network.pads_shortcuts()) {
      network.subsample(block + ".shortcut", channels, stride);
    } else {
      network.convolution(
          block + ".shortcut", channels, {.kernel = 1, .stride = stride, .rectified = false});
      network.batch_norm(block + ".shortcut_bn");
    }
    shortcut = network.here();
    network.resume(result);
  }
  network.add(block + ".add", shortcut);
  network.activation(block + ".act2");
}

}  // namespace lastbit
