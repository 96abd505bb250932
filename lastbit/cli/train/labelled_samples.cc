#include "lastbit/cli/train/labelled_samples.h"

#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/train/normalization.h"
#include "lastbit/state/normalize.h"
#include "lastbit/train/classification.h"
#include "lastbit/train/sample_batches.h"

namespace lastbit {
namespace {

// The mean that a new network takes off its input, unless its normalization has set it already.
void set_mean(Graph& graph,
              const NewNetwork& network,
              const Augmentation& augmentation,
              const Dataset& data) {
  const auto target = graph.initializers.find(kInputMean);
  if (target == graph.initializers.end() || graph.find_initializer(kInputDeviation) != nullptr) {
    return;
  }
  const Shape shape = shape_of(target->second);
  const bool by_channel = network.options.center == "channel";
  torch::Tensor mean = mean_sample(*data.train, by_channel);
  if (!by_channel) mean = cut_middle(mean, augmentation);
  if (mean.numel() != element_count(shape)) {
    throw InputError(cat("[train] the mean of the samples has ",
                         mean.numel(),
                         " numbers, that of the network ",
                         element_count(shape),
                         ", expected as many, or --center none"));
  }
  mean = mean.contiguous();
  target->second =
      Tensor::floats(shape, {mean.data_ptr<float>(), static_cast<std::size_t>(mean.numel())});
}

class LabelledSamples : public Material {
 public:
  explicit LabelledSamples(Dataset data) : data_(std::move(data)) {}

  const std::string& name() const noexcept override { return data_.name; }

  Graph make(const NewNetwork& network, const TrainingChoice& training) const override {
    if (find_detector(network.architecture) != nullptr) {
      throw InputError(cat("[train] '",
                           network.architecture,
                           "' finds boxes, which ",
                           data_.name,
                           " does not have, expected voc:PATH"));
    }
    ZooOptions options = network.options;
    if (!network.own_input) options.input = training.augmentation.output_shape(sample_shape());
    if (!network.own_classes) options.classes = data_.train->classes();
    const std::string normalization =
        settled_normalization(network.normalize, options, *data_.train);
    Graph graph = normalized_network(network.architecture, options, normalization, *data_.train);
    set_mean(graph, network, training.augmentation, data_);
    return graph;
  }

  std::vector<std::string> values(const Graph& /*graph*/) const override { return {}; }

  Workload workload(const Graph& /*graph*/,
                    const Network& network,
                    const TrainingChoice& training) const override {
    if (changes_boxes(training.augment)) {
      throw InputError(cat("[augment] '", training.augment, "' is for images with boxes"));
    }
    const Shape& shape = network.sample_shape();
    if (shape.empty()) {
      const Value& input = network.inputs().front();
      throw InputError(cat("[data] the model takes '",
                           input.name,
                           "' ",
                           to_string(input.dims),
                           ", expected one that takes samples as those of '",
                           data_.name,
                           "', ",
                           to_string(sample_shape())));
    }
    torch::Tensor fill;
    // Padding has the mean colour of the training samples: 0 once the mean is taken off.
    if (training.augmentation.crop == Augmentation::Crop::kPad) {
      training.augmentation.output_shape(sample_shape());
      fill = mean_sample(*data_.train, /*by_channel=*/true).flatten();
    }
    return {.task = std::make_unique<Classification>(),
            .train = std::make_unique<SampleBatches>(
                data_.train, shape, network.device(), training.augmentation, fill),
            .test = std::make_unique<SampleBatches>(
                data_.test, shape, network.device(), training.augmentation)};
  }

 private:
  Shape sample_shape() const {
    return {data_.train->sample_shape().begin(), data_.train->sample_shape().end()};
  }

  Dataset data_;
};

}  // namespace

std::unique_ptr<Material> open_labelled_samples(const DataChoice& choice) {
  return std::make_unique<LabelledSamples>(open(choice));
}

}  // namespace lastbit
