#include <array>

#include "lastbit/base/text.h"
#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/networks.h"
#include "lastbit/zoo/residual.h"

namespace lastbit {

// He, Zhang, Ren and Sun 2016, table 1. 11,689,512 parameters and 1.814 G multiplications for
// 3 x 224 x 224 inputs and 1000 classes. For small images the stem is that of CIFAR's networks:
// 3 x 3 without stride and pooling.
Graph make_resnet18(const ZooOptions& options) {
  refuse_hidden("resnet18", options);
  refuse_activation("resnet18", options);
  NetworkBuilder network("resnet18", options, "relu");
  if (is_small_image(options)) {
    network.convolution("conv1", 64, {.kernel = 3, .pad = 1});
  } else {
    network.convolution("conv1", 64, {.kernel = 7, .stride = 2, .pad = 3});
  }
  network.batch_norm("bn1");
  network.activation("act1");
  if (!is_small_image(options)) network.max_pool("pool1", {.kernel = 3, .stride = 2, .pad = 1});
  constexpr std::array<std::int64_t, 4> kWidths = {64, 128, 256, 512};
  constexpr int kBlocks = 2;
  for (std::size_t stage = 0; stage < kWidths.size(); ++stage) {
    for (int block = 0; block < kBlocks; ++block) {
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
