#include "lastbit/cli/train/normalization.h"

#include <algorithm>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/method/weights.h"
#include "lastbit/state/normalize.h"
#include "lastbit/train/sample_batches.h"

namespace lastbit {
namespace {

constexpr const char* kAuto = "auto";
constexpr const char* kData = "data";
constexpr const char* kMean = "mean";
constexpr const char* kNone = "none";

bool has_three_channels(std::span<const std::int64_t> shape) {
  return shape.size() == 3 && shape.front() == 3;
}

// A channel that is the same everywhere has no deviation, and is 0 once its mean is taken off.
Normalization statistics_of(const DatasetSource& samples) {
  const ChannelStatistics statistics = statistics_by_channel(samples);
  Normalization result{floats(statistics.mean.flatten()), floats(statistics.deviation.flatten())};
  std::ranges::replace(result.deviation, 0.0F, 1.0F);
  return result;
}

}  // namespace

void add_normalize_option(CLI::App& app, std::string& choice) {
  std::vector<std::string> known = {kAuto, kData, kMean};
  for (const std::string_view name : known_normalizations()) known.emplace_back(name);
  app.add_option("--normalize",
                 choice,
                 "Mean and deviation that the network takes off its input: of the data, by "
                 "channel; the mean alone; of imagenet or cifar10; none. auto: data for colour "
                 "images, else mean")
      ->check(CLI::IsMember(known))
      ->type_name("NAME");
}

std::string settled_normalization(const std::string& choice,
                                  const ZooOptions& network,
                                  const DatasetSource& samples) {
  const bool by_channel = network.center == "channel";
  if (choice == kAuto) {
    const bool colour =
        has_three_channels(network.input) && has_three_channels(samples.sample_shape());
    return by_channel && colour ? kData : kMean;
  }
  if (!by_channel && choice != kMean && choice != kNone) {
    throw InputError(cat("[train] --normalize ",
                         choice,
                         " works by channel, but --center is ",
                         network.center,
                         ", expected channel"));
  }
  return choice;
}

Graph normalized_network(const std::string& architecture,
                         ZooOptions options,
                         const std::string& normalization,
                         const DatasetSource& samples) {
  if (normalization == kNone) options.center = "none";
  Graph graph = make_network(architecture, options);
  if (normalization == kData) {
    normalize_input(graph, statistics_of(samples));
  } else if (normalization != kMean) {
    normalize_input(graph, known_normalization(normalization));
  }
  return graph;
}

}  // namespace lastbit
