#include <array>

#include "lastbit/base/text.h"
#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {
namespace {

// Sandler, Howard, Zhu, Zhmoginov and Chen 2018, section 3.3: widen with 1 x 1, filter each channel
// by itself, narrow with 1 x 1 and no ReLU after it; added to the input where both have one shape.
void append_inverted_residual(NetworkBuilder& network,
                              const std::string& block,
                              std::int64_t channels,
                              std::int64_t stride,
                              std::int64_t expansion) {
  const NetworkBuilder::Place input = network.here();
  const std::int64_t wide = input.sample.front() * expansion;
  if (expansion != 1) {
    network.convolution(block + ".expand", wide, {.kernel = 1});
    network.batch_norm(block + ".expand_bn");
    network.relu6(block + ".expand_act");
  }
  network.convolution(
      block + ".depthwise", wide, {.kernel = 3, .stride = stride, .pad = 1, .groups = wide});
  network.batch_norm(block + ".depthwise_bn");
  network.relu6(block + ".depthwise_act");
  network.convolution(block + ".project", channels, {.kernel = 1, .rectified = false});
  network.batch_norm(block + ".project_bn");
  if (stride == 1 && input.sample.front() == channels) network.add(block + ".add", input);
}

}  // namespace

// Sandler et al. 2018, table 2, of width 1.0 and without dropout. 3,504,872 parameters and 301 M
// multiplications for 3 x 224 x 224 inputs and 1000 classes. For small images the first two
// strides are 1, as usual for CIFAR.
Graph make_mobilenetv2(const ZooOptions& options) {
  refuse_hidden("mobilenetv2", options);
  refuse_activation("mobilenetv2", options);
  NetworkBuilder network("mobilenetv2", options, "relu");
  const std::int64_t early_stride = is_small_image(options) ? 1 : 2;
  network.convolution("stem", 32, {.kernel = 3, .stride = early_stride, .pad = 1});
  network.batch_norm("stem_bn");
  network.relu6("stem_act");
  struct Stage {
    std::int64_t expansion, channels;
    int blocks;
    std::int64_t stride;
  };
  const std::array<Stage, 7> stages = {{{1, 16, 1, 1},
                                        {6, 24, 2, early_stride},
                                        {6, 32, 3, 2},
                                        {6, 64, 4, 2},
                                        {6, 96, 3, 1},
                                        {6, 160, 3, 2},
                                        {6, 320, 1, 1}}};
  int block = 0;
  for (const Stage& stage : stages) {
    for (int i = 0; i < stage.blocks; ++i) {
      append_inverted_residual(network,
                               cat("block", ++block),
                               stage.channels,
                               i == 0 ? stage.stride : 1,
                               stage.expansion);
    }
  }
  network.convolution("head", 1280, {.kernel = 1});
  network.batch_norm("head_bn");
  network.relu6("head_act");
  network.global_average_pool("pool");
  network.flatten();
  network.fully_connected("fc", options.classes);
  return network.finish();
}

}  // namespace lastbit
