#include <array>

#include "lastbit/base/text.h"
#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {

// Simonyan and Zisserman 2015, configuration D, with batch norm in place of the convolutions'
// biases. For small images the classifier is one layer without dropout, as usual for CIFAR:
// 14,724,042 parameters for 3 x 32 x 32 inputs and 10 classes. For others it is the paper's:
// 138,361,768 for 3 x 224 x 224 inputs and 1000 classes.
Graph make_vgg16(const ZooOptions& options) {
  refuse_hidden("vgg16", options);
  refuse_activation("vgg16", options);
  NetworkBuilder network("vgg16", options, "relu");
  struct Stage {
    std::int64_t channels;
    int layers;
  };
  constexpr std::array<Stage, 5> kStages = {{{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}}};
  int layer = 0;
  for (std::size_t stage = 0; stage < kStages.size(); ++stage) {
    for (int i = 0; i < kStages[stage].layers; ++i) {
      ++layer;
      network.convolution(cat("conv", layer), kStages[stage].channels, {.kernel = 3, .pad = 1});
      network.batch_norm(cat("bn", layer));
      network.activation(cat("act", layer));
    }
    network.max_pool(cat("pool", stage + 1), {.kernel = 2, .stride = 2});
  }
  network.flatten();
  int full = 0;
  if (!is_small_image(options)) {
    constexpr std::int64_t kWidth = 4096;
    constexpr float kDropped = 0.5F;
    for (; full < 2; ++full) {
      network.fully_connected(cat("fc", full + 1), kWidth);
      network.activation(cat("act", ++layer));
      network.dropout(cat("drop", full + 1), kDropped);
    }
  }
  network.fully_connected(cat("fc", full + 1), options.classes);
  return network.finish();
}

}  // namespace lastbit
