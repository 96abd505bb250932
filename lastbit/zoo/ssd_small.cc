#include <array>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/detector.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {

// Our own: a detector that two CPU cores train in minutes. Four maps of 1/8, ..., 1/64 of the
// image's sides, after a trunk of 16 to 128 channels with batch norm; the two coarse ones after
// pairs of 1 x 1 and 3 x 3 as in SSD.
Graph make_ssd_small(const ZooOptions& options) {
  refuse_hidden("ssd-small", options);
  refuse_activation("ssd-small", options);
  constexpr std::int64_t kLeastSide = 64;
  if (options.input.size() != 3 || options.input[1] < kLeastSide || options.input[2] < kLeastSide) {
    throw InputError(cat("[zoo] ssd-small: the input shape is ",
                         to_string(options.input),
                         ", expected channels and sides of ",
                         kLeastSide,
                         " pixels or more"));
  }
  NetworkBuilder network("ssd-small", options, "relu", /*least_classes=*/1);
  struct Layer {
    const char* name;
    std::int64_t channels, kernel, stride;
    bool map;
  };
  constexpr std::array<Layer, 12> kLayers = {{{"conv1", 16, 3, 2, false},
                                              {"conv2", 32, 3, 2, false},
                                              {"conv3", 32, 3, 1, false},
                                              {"conv4", 64, 3, 2, false},
                                              {"conv5", 64, 3, 1, false},
                                              {"conv6", 64, 3, 1, true},
                                              {"conv7", 128, 3, 2, false},
                                              {"conv8", 128, 3, 1, true},
                                              {"conv9_1", 64, 1, 1, false},
                                              {"conv9_2", 128, 3, 2, true},
                                              {"conv10_1", 64, 1, 1, false},
                                              {"conv10_2", 128, 3, 2, true}}};
  std::vector<NetworkBuilder::Place> places;
  for (const Layer& layer : kLayers) {
    append_normalized(
        network,
        {.name = layer.name,
         .channels = layer.channels,
         .window = {.kernel = layer.kernel, .stride = layer.stride, .pad = layer.kernel / 2}});
    if (layer.map) places.push_back(network.here());
  }
  std::vector<std::int64_t> sides;
  for (const NetworkBuilder::Place& place : places) sides.push_back(place.sample[1]);
  const std::vector<double> few = {2.0};
  const std::vector<double> many = {2.0, 3.0};
  const std::array<std::vector<double>, 4> ratios = {few, many, many, few};
  const std::vector<PriorMap> maps = scaled_prior_maps(sides, ratios, 0.09, 0.2, 0.8);
  return finish_detector(network, places, maps, options.classes);
}

}  // namespace lastbit
