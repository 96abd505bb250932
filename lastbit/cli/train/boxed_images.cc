#include "lastbit/cli/train/boxed_images.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/detector.h"
#include "lastbit/cli/eval_detector.h"
#include "lastbit/data/detection.h"
#include "lastbit/state/normalize.h"
#include "lastbit/train/detection_batches.h"
#include "lastbit/train/detection_task.h"

namespace lastbit {
namespace {

constexpr std::size_t kChannels = 3;

// Mean and deviation of each channel; of many images some hundred stand for all.
Normalization statistics_of(const DetectionSource& source) {
  constexpr std::int64_t kEnough = 300;
  const std::int64_t count = std::min(source.size(), kEnough);
  std::array<double, kChannels> sums{};
  std::array<double, kChannels> squares{};
  double pixels = 0.0;
  for (std::int64_t i = 0; i < count; ++i) {
    const DetectionSample sample = source.read(i * source.size() / count);
    for (std::size_t at = 0; at < sample.image.pixels.size(); ++at) {
      const double value = sample.image.pixels[at] / 255.0;
      sums[at % kChannels] += value;
      squares[at % kChannels] += value * value;
    }
    pixels += static_cast<double>(sample.image.pixels.size() / kChannels);
  }
  Normalization result;
  for (std::size_t c = 0; c < kChannels; ++c) {
    const double mean = sums[c] / pixels;
    const double variance = squares[c] / pixels - mean * mean;
    // A channel that is the same everywhere has no deviation, and is 0 once its mean is taken off.
    const bool varies = variance > 1e-12;
    result.mean.push_back(static_cast<float>(mean));
    result.deviation.push_back(varies ? static_cast<float>(std::sqrt(variance)) : 1.0F);
  }
  return result;
}

// What --normalize stands for.
void normalize(Graph& graph, const std::string& choice, const DetectionSource& source) {
  if (choice == "none") return;
  if (choice != "auto" && choice != "data" && choice != "mean") {
    normalize_input(graph, known_normalization(choice));
    return;
  }
  const Normalization data = statistics_of(source);
  if (choice == "mean") {
    graph.initializers.insert_or_assign(std::string(kInputMean),
                                        Tensor::floats({kChannels, 1, 1}, data.mean));
  } else {
    normalize_input(graph, data);
  }
}

// The data's labels as the graph's, by the names of the classes.
std::vector<std::int32_t> labels_of(const Graph& graph, const DetectionSet& data) {
  const std::vector<std::string> known = class_names_of(graph);
  if (known.empty()) {
    throw InputError(cat("[model] the detector has no metadata '",
                         kClassesKey,
                         "', expected the names of its classes"));
  }
  return match_classes(known, data.class_names);
}

class BoxedImages : public Material {
 public:
  explicit BoxedImages(DetectionSet data) : data_(std::move(data)) {}

  const std::string& name() const noexcept override { return data_.name; }

  Graph make(const NewNetwork& network, const TrainingChoice& /*training*/) const override {
    const Architecture* detector = find_detector(network.architecture);
    if (detector == nullptr) {
      std::vector<std::string_view> known;
      for (const Architecture& row : architectures()) {
        if (row.kind == NetworkKind::kDetector) known.push_back(row.name);
      }
      throw InputError(cat("[train] ",
                           data_.name,
                           " has boxes, which '",
                           network.architecture,
                           "' does not find, expected one of ",
                           join(known)));
    }
    ZooOptions options = network.options;
    const auto classes = static_cast<std::int64_t>(data_.class_names.size());
    if (network.own_classes && options.classes != classes) {
      throw InputError(cat("[train] --classes is ",
                           options.classes,
                           ", expected the ",
                           classes,
                           " of the data (",
                           join(data_.class_names),
                           ")"));
    }
    options.classes = classes;
    if (!network.own_input) options.input = {kChannels, detector->side, detector->side};
    if (network.normalize == "none") options.center = "none";
    Graph graph = make_network(network.architecture, options);
    normalize(graph, network.normalize, *data_.train);
    graph.metadata[kClassesKey] = nlohmann::json(data_.class_names).dump();
    return graph;
  }

  std::vector<std::string> values(const Graph& graph) const override {
    detector_form(graph);
    return {kDetectorValues.begin(), kDetectorValues.end()};
  }

  Workload workload(const Graph& graph,
                    const Network& network,
                    const TrainingChoice& training) const override {
    const DetectorForm form = detector_form(graph);
    const std::vector<std::int32_t> labels = labels_of(graph, data_);
    const DetectionAugmentation augmentation =
        parse_detection_augmentation(training.augment == "auto" ? "ssd" : training.augment);
    const auto batches = [&](const std::shared_ptr<const DetectionSource>& source) {
      return std::make_unique<DetectionBatches>(
          source, form, labels, network.device(), augmentation, training.threads);
    };
    return {.task = std::make_unique<DetectionTask>(
                training.rule == "area" ? PrecisionRule::kArea : PrecisionRule::kElevenPoint),
            .train = batches(data_.train),
            .test = batches(data_.test)};
  }

 private:
  DetectionSet data_;
};

}  // namespace

std::unique_ptr<Material> open_boxed_images(const DataChoice& choice) {
  return std::make_unique<BoxedImages>(open_detection(choice.name, options_of(choice)));
}

}  // namespace lastbit
