#include <array>
#include <string>
#include <vector>

#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {
namespace {

// Of torchvision's weights.
constexpr float kEpsilon = 1e-3F;

void append_convolution(NetworkBuilder& network,
                        const std::string& layer,
                        std::int64_t channels,
                        const SquareWindow& window) {
  network.convolution(layer, channels, window);
  network.batch_norm(layer + "_bn", kEpsilon);
  network.activation(layer + "_act");
}

struct Inception {
  const char* name;
  std::int64_t branch1;              // 1 x 1
  std::int64_t reduction2, branch2;  // 1 x 1, then 3 x 3
  std::int64_t reduction3, branch3;  // the same again
  std::int64_t branch4;              // 1 x 1 after a pool
  SquareWindow pool_after = {};      // of size 1: none
};

void append_inception(NetworkBuilder& network, const Inception& row) {
  const std::string block = row.name;
  const NetworkBuilder::Place input = network.here();
  std::vector<NetworkBuilder::Place> branches;
  const auto end_branch = [&] {
    branches.push_back(network.here());
    network.resume(input);
  };
  append_convolution(network, block + ".branch1", row.branch1, {.kernel = 1});
  end_branch();
  append_convolution(network, block + ".branch2.reduce", row.reduction2, {.kernel = 1});
  append_convolution(network, block + ".branch2.conv", row.branch2, {.kernel = 3, .pad = 1});
  end_branch();
  append_convolution(network, block + ".branch3.reduce", row.reduction3, {.kernel = 1});
  append_convolution(network, block + ".branch3.conv", row.branch3, {.kernel = 3, .pad = 1});
  end_branch();
  network.max_pool(block + ".branch4.pool", {.kernel = 3, .stride = 1, .pad = 1});
  append_convolution(network, block + ".branch4.conv", row.branch4, {.kernel = 1});
  end_branch();
  network.concat(block + ".concat", branches);
}

}  // namespace

// Szegedy et al. 2015, table 1, with batch norm and without the two auxiliary classifiers, in the
// form of torchvision's weights: the third branch has 3 x 3 where the paper has 5 x 5, the last
// pool is 2 x 2, batch norm's epsilon 0.001 and dropout 0.2. 6,624,904 parameters and 1.498 G
// multiplications for 3 x 224 x 224 inputs and 1000 classes. For small images the first stride is 1
// and the first two pools and dropout are left out.
Graph make_googlenet(const ZooOptions& options) {
  refuse_hidden("googlenet", options);
  refuse_activation("googlenet", options);
  NetworkBuilder network("googlenet", options, "relu");
  const bool small = is_small_image(options);
  const SquareWindow pool = {.kernel = 3, .stride = 2, .ceil = true};
  if (small) {
    append_convolution(network, "conv1", 64, {.kernel = 3, .pad = 1});
  } else {
    append_convolution(network, "conv1", 64, {.kernel = 7, .stride = 2, .pad = 3});
    network.max_pool("pool1", pool);
  }
  append_convolution(network, "conv2", 64, {.kernel = 1});
  append_convolution(network, "conv3", 192, {.kernel = 3, .pad = 1});
  if (!small) network.max_pool("pool2", pool);
  const std::array<Inception, 9> rows = {{
      {"inception3a", 64, 96, 128, 16, 32, 32},
      {"inception3b", 128, 128, 192, 32, 96, 64, pool},
      {"inception4a", 192, 96, 208, 16, 48, 64},
      {"inception4b", 160, 112, 224, 24, 64, 64},
      {"inception4c", 128, 128, 256, 24, 64, 64},
      {"inception4d", 112, 144, 288, 32, 64, 64},
      {"inception4e", 256, 160, 320, 32, 128, 128, {.kernel = 2, .stride = 2, .ceil = true}},
      {"inception5a", 256, 160, 320, 32, 128, 128},
      {"inception5b", 384, 192, 384, 48, 128, 128},
  }};
  int pools = 2;
  for (const Inception& row : rows) {
    append_inception(network, row);
    if (row.pool_after.kernel == 1) continue;
    network.max_pool("pool" + std::to_string(++pools), row.pool_after);
  }
  network.global_average_pool("pool");
  network.flatten();
  constexpr float kDropped = 0.2F;
  if (!small) network.dropout("drop", kDropped);
  network.fully_connected("fc", options.classes);
  return network.finish();
}

}  // namespace lastbit
