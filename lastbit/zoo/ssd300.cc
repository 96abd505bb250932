#include <array>

#include "lastbit/base/text.h"
#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/detector.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {
namespace {

using Places = std::vector<NetworkBuilder::Place>;

constexpr std::int64_t kSide = 300;

void append_rectified(NetworkBuilder& network,
                      const std::string& layer,
                      std::int64_t channels,
                      SquareWindow window) {
  window.bias = true;
  network.convolution(layer, channels, window);
  network.activation(layer + ".act");
}

// VGG-16 with bias and without batch norm, as the authors trained it on ImageNet.
// @return conv4_3 and fc7.
Places append_vgg(NetworkBuilder& network) {
  struct Stage {
    std::int64_t channels;
    int layers;
    SquareWindow pool;
  };
  const std::array<Stage, 5> stages = {{{64, 2, {.kernel = 2, .stride = 2}},
                                        {128, 2, {.kernel = 2, .stride = 2}},
                                        {256, 3, {.kernel = 2, .stride = 2, .ceil = true}},
                                        {512, 3, {.kernel = 2, .stride = 2}},
                                        {512, 3, {.kernel = 3, .stride = 1, .pad = 1}}}};
  Places places;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    for (int i = 0; i < stages[stage].layers; ++i) {
      append_rectified(network,
                       cat("conv", stage + 1, "_", i + 1),
                       stages[stage].channels,
                       {.kernel = 3, .pad = 1});
    }
    if (stage == 3) places.push_back(network.here());
    network.max_pool(cat("pool", stage + 1), stages[stage].pool);
  }
  append_rectified(network, "fc6", 1024, {.kernel = 3, .pad = 6, .dilation = 6});
  append_rectified(network, "fc7", 1024, {.kernel = 1});
  places.push_back(network.here());
  return places;
}

struct Extra {
  std::int64_t narrow, wide;
  SquareWindow window;  // of the second layer
};
constexpr SquareWindow kHalving{.kernel = 3, .stride = 2, .pad = 1};
constexpr SquareWindow kShrinking{.kernel = 3};

}  // namespace

// Liu et al. 2016, figure 2, with the layers of the authors' program: 26,285,486 parameters and
// 31.4 G multiplications for the 20 classes of VOC.
Graph make_ssd300_vgg16(const ZooOptions& options) {
  refuse_hidden("ssd300-vgg16", options);
  refuse_activation("ssd300-vgg16", options);
  require_square("ssd300-vgg16", options, kSide);
  NetworkBuilder network("ssd300-vgg16", options, "relu", /*least_classes=*/1);
  Places places = append_vgg(network);
  int number = 7;
  for (const Extra& extra : {Extra{256, 512, kHalving},
                             Extra{128, 256, kHalving},
                             Extra{128, 256, kShrinking},
                             Extra{128, 256, kShrinking}}) {
    ++number;
    append_rectified(network, cat("conv", number, "_1"), extra.narrow, {.kernel = 1});
    append_rectified(network, cat("conv", number, "_2"), extra.wide, extra.window);
    places.push_back(network.here());
  }
  network.resume(places.front());
  network.channel_norm("conv4_3.norm", 20.0F);
  places.front() = network.here();
  return finish_detector(network, places, ssd300_prior_maps(), options.classes);
}

// The reference network of Darknet (Redmon; 28 MB of weights, which is how Leng et al. 2018,
// section 4.2.1, describe it): seven convolutions of 3 x 3 with batch norm and leaky ReLU, 2 x 2
// pools between them that keep a remainder at the border. As with VGG-16 the classifier goes,
// the last pool gets stride 1 and the layer after it is dilated, so that maps have the sides of
// ssd300: conv4, conv5 and conv7 of the trunk, then three stages of 1 x 1 and 3 x 3.
Graph make_ssd300_darknet(const ZooOptions& options) {
  refuse_hidden("ssd300-darknet", options);
  refuse_activation("ssd300-darknet", options);
  require_square("ssd300-darknet", options, kSide);
  NetworkBuilder network("ssd300-darknet", options, "relu", /*least_classes=*/1);
  constexpr float kSlope = 0.1F;
  Places places;
  for (int layer = 1; layer <= 7; ++layer) {
    const bool last = layer == 7;
    const std::int64_t rate = last ? 2 : 1;
    append_normalized(network,
                      {.name = cat("conv", layer),
                       .channels = std::int64_t{8} << layer,
                       .window = {.kernel = 3, .pad = rate, .dilation = rate},
                       .slope = kSlope});
    if (layer == 4 || layer == 5 || last) places.push_back(network.here());
    if (layer < 6) {
      network.max_pool(cat("pool", layer), {.kernel = 2, .stride = 2, .ceil = true});
    } else if (!last) {
      network.max_pool(cat("pool", layer), {.kernel = 3, .stride = 1, .pad = 1});
    }
  }
  int number = 7;
  for (const Extra& extra :
       {Extra{256, 512, kHalving}, Extra{128, 256, kShrinking}, Extra{128, 256, kShrinking}}) {
    ++number;
    append_normalized(network,
                      {.name = cat("conv", number, "_1"),
                       .channels = extra.narrow,
                       .window = {.kernel = 1},
                       .slope = kSlope});
    append_normalized(network,
                      {.name = cat("conv", number, "_2"),
                       .channels = extra.wide,
                       .window = extra.window,
                       .slope = kSlope});
    places.push_back(network.here());
  }
  return finish_detector(network, places, ssd300_prior_maps(), options.classes);
}

}  // namespace lastbit
