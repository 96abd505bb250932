#include <array>

#include "lastbit/base/text.h"
#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/networks.h"
#include "lastbit/zoo/residual.h"

namespace lastbit {

// He, Zhang, Ren and Sun 2016, section 4.2. Where a stage begins, the shortcut is a convolution of
// 1 x 1 (their option B). The paper's own nets for CIFAR pad with zero channels (option A), which
// the options' shortcut "pad" builds. ResNet-20 for 3 x 32 x 32 inputs and 10 classes: 272,474
// parameters, and 269,722 with option A.
Graph make_resnet_cifar(const ZooOptions& options, int depth) {
  const std::string name = cat("resnet", depth);
  refuse_hidden(name, options);
  refuse_activation(name, options);
  NetworkBuilder network(name, options, "relu");
  network.convolution("conv1", 16, {.kernel = 3, .pad = 1});
  network.batch_norm("bn1");
  network.activation("act1");
  constexpr std::array<std::int64_t, 3> kWidths = {16, 32, 64};
  const int blocks = (depth - 2) / 6;
  for (std::size_t stage = 0; stage < kWidths.size(); ++stage) {
    for (int block = 0; block < blocks; ++block) {
      const std::int64_t stride = stage > 0 && block == 0 ? 2 : 1;
      append_basic_block(
          network, cat("stage", stage + 1, ".block", block + 1), kWidths[stage], stride);
    }
  }
  network.global_average_pool("pool");
  network.flatten();
  network.fully_connected("fc", options.classes);
  return network.finish();
}

}  // namespace lastbit
