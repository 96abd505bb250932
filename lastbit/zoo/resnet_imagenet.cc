#include <array>
#include <cstdint>

#include "lastbit/base/text.h"
#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/networks.h"
#include "lastbit/zoo/residual.h"

namespace lastbit {
namespace {

struct Form {
  std::array<int, 4> blocks;  // of each stage
  bool bottleneck;
};

Form form_of(int depth) {
  switch (depth) {
    case 18:
      return {{2, 2, 2, 2}, false};
    case 34:
      return {{3, 4, 6, 3}, false};
    default:
      return {{3, 4, 6, 3}, true};
  }
}

// He et al. 2016, figure 5 right: 1 x 1 to a quarter of the channels, 3 x 3, 1 x 1 back. The stride
// is that of the 3 x 3, as in torchvision's weights; the paper has it in the first 1 x 1, where
// three quarters of the input are never read.
void append_bottleneck_block(NetworkBuilder& network,
                             const std::string& block,
                             std::int64_t channels,
                             std::int64_t stride) {
  const NetworkBuilder::Place input = network.here();
  const std::int64_t narrow = channels / 4;
  NetworkBuilder::Place shortcut = input;
  if (stride != 1 || input.sample.front() != channels) {
    network.convolution(
        block + ".shortcut", channels, {.kernel = 1, .stride = stride, .rectified = false});
    network.batch_norm(block + ".shortcut_bn");
    shortcut = network.here();
    network.resume(input);
  }
  network.convolution(block + ".conv1", narrow, {.kernel = 1});
  network.batch_norm(block + ".bn1");
  network.activation(block + ".act1");
  network.convolution(block + ".conv2", narrow, {.kernel = 3, .stride = stride, .pad = 1});
  network.batch_norm(block + ".bn2");
  network.activation(block + ".act2");
  network.convolution(block + ".conv3", channels, {.kernel = 1, .rectified = false});
  network.batch_norm(block + ".bn3");
  network.add(block + ".add", shortcut);
  network.activation(block + ".act3");
}

}  // namespace

// He, Zhang, Ren and Sun 2016, table 1; for 3 x 224 x 224 inputs and 1000 classes 11,689,512,
// 21,797,672 and 25,557,032 parameters, 1.814, 3.664 and 4.089 G multiplications. For small images
// the stem is that of CIFAR's networks: 3 x 3 without stride and pooling.
Graph make_resnet_imagenet(const ZooOptions& options, int depth) {
  const std::string name = cat("resnet", depth);
  refuse_hidden(name, options);
  refuse_activation(name, options);
  NetworkBuilder network(name, options, "relu");
  if (is_small_image(options)) {
    network.convolution("conv1", 64, {.kernel = 3, .pad = 1});
  } else {
    network.convolution("conv1", 64, {.kernel = 7, .stride = 2, .pad = 3});
  }
  network.batch_norm("bn1");
  network.activation("act1");
  if (!is_small_image(options)) network.max_pool("pool1", {.kernel = 3, .stride = 2, .pad = 1});
  const Form form = form_of(depth);
  const auto append_block = form.bottleneck ? append_bottleneck_block : append_basic_block;
  std::int64_t channels = form.bottleneck ? 256 : 64;
  for (std::size_t stage = 0; stage < form.blocks.size(); ++stage) {
    for (int block = 0; block < form.blocks[stage]; ++block) {
      const std::int64_t stride = stage > 0 && block == 0 ? 2 : 1;
      append_block(network, cat("stage", stage + 1, ".block", block + 1), channels, stride);
    }
    channels *= 2;
  }
  network.global_average_pool("pool");
  network.flatten();
  network.fully_connected("fc", options.classes);
  return network.finish();
}

}  // namespace lastbit
