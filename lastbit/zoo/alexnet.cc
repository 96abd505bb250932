#include <array>

#include "lastbit/base/text.h"
#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {

// Krizhevsky, Sutskever and Hinton 2012 as one column: their widths without the two groups, batch
// norm between each layer and its ReLU in place of local response normalization. This is the
// network of the papers on low-bit weights: the 250 MB that Leng et al. 2018 (ADMM) give are its 62
// million parameters; torchvision's has other widths and no batch norm. The code of Yang et al.
// 2019 (Quantization Networks) has the same form, and the share 0.1 of dropout. 62,387,912
// parameters and 1.135 G multiplications for 3 x 224 x 224 inputs and 1000 classes.
Graph make_alexnet(const ZooOptions& options) {
  refuse_hidden("alexnet", options);
  refuse_activation("alexnet", options);
  NetworkBuilder network("alexnet", options, "relu");
  struct Layer {
    std::int64_t channels;
    SquareWindow window;
    bool pooled;
  };
  const std::array<Layer, 5> layers = {{{96, {.kernel = 11, .stride = 4, .pad = 2}, true},
                                        {256, {.kernel = 5, .pad = 2}, true},
                                        {384, {.kernel = 3, .pad = 1}, false},
                                        {384, {.kernel = 3, .pad = 1}, false},
                                        {256, {.kernel = 3, .pad = 1}, true}}};
  int layer = 0;
  for (const Layer& row : layers) {
    ++layer;
    network.convolution(cat("conv", layer), row.channels, row.window);
    network.batch_norm(cat("bn", layer));
    network.activation(cat("act", layer));
    if (row.pooled) network.max_pool(cat("pool", layer), {.kernel = 3, .stride = 2});
  }
  network.flatten();
  constexpr std::int64_t kWidth = 4096;
  constexpr float kDropped = 0.1F;
  while (layer < 7) {
    ++layer;
    network.dropout(cat("drop", layer), kDropped);
    network.fully_connected_without_bias(cat("fc", layer), kWidth);
    network.batch_norm(cat("bn", layer));
    network.activation(cat("act", layer));
  }
  network.fully_connected("fc8", options.classes);
  return network.finish();
}

}  // namespace lastbit
