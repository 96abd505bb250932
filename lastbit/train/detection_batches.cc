#include "lastbit/train/detection_batches.h"

#include <algorithm>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/base/threads.h"
#include "lastbit/detect/box_coding.h"
#include "lastbit/detect/match.h"
#include "lastbit/graph/shapes.h"
#include "lastbit/method/sent.h"

namespace lastbit {
namespace {

// Stream of the seed, beside those of the order and of dropout.
constexpr std::uint64_t kStream = 0x626f786573;

constexpr std::int64_t kRow = 5;  // of labels: four offsets and the class

[[noreturn]] void refuse(const std::string& found) {
  throw InputError(cat("[detector] the model has ",
                       found,
                       ", expected an input [batch, 3, height, width], a constant 'priors' "
                       "[priors, 4] and the values 'offsets' [batch, priors, 4] and 'class_logits' "
                       "[batch, priors, classes + 1]"));
}

Random random_of(const AugmentationSeed& seed, std::int64_t index) {
  constexpr int kIndexBits = 40;
  const auto epoch = static_cast<std::uint64_t>(seed.epoch);
  return Random(seed.seed ^ kStream, (epoch << kIndexBits) + static_cast<std::uint64_t>(index));
}

}  // namespace

DetectorForm detector_form(const Graph& graph) {
  if (graph.inputs.size() != 1) refuse(cat(graph.inputs.size(), " inputs"));
  const std::vector<Dim>& input = graph.inputs.front().dims;
  if (input.size() != 4 || input[1].size != 3 || !input[2].known() || !input[3].known()) {
    refuse(cat("the input ", to_string(input)));
  }
  const Initializer* initializer = graph.find_initializer("priors");
  if (initializer == nullptr) refuse("no priors");
  const Tensor priors = decode(*initializer);
  if (priors.type() != DType::kFloat || priors.shape().size() != 2 || priors.shape()[1] != 4) {
    refuse(cat("priors of shape ", to_string(priors.shape())));
  }
  const std::int64_t count = priors.shape()[0];
  const TypeMap types = infer_shapes(graph, /*batch=*/1);
  Shape shapes[2];
  for (std::size_t i = 0; i < kDetectorValues.size(); ++i) {
    const auto found = types.find(kDetectorValues[i]);
    if (found == types.end()) refuse(cat("no value '", kDetectorValues[i], "'"));
    shapes[i] = found->second.shape;
  }
  if (shapes[0] != Shape{1, count, 4}) refuse(cat("offsets of shape ", to_string(shapes[0])));
  if (shapes[1].size() != 3 || shapes[1][1] != count || shapes[1][2] < 2) {
    refuse(cat("class_logits of shape ", to_string(shapes[1])));
  }

  DetectorForm form{.size = {.height = input[2].size, .width = input[3].size},
                    .priors = {},
                    .classes = shapes[1][2] - 1};
  const std::span<const float> values = priors.as_floats();
  for (std::size_t i = 0; i < values.size(); i += 4) {
    form.priors.push_back(
        {.x = values[i], .y = values[i + 1], .width = values[i + 2], .height = values[i + 3]});
  }
  return form;
}

DetectionBatches::DetectionBatches(std::shared_ptr<const DetectionSource> source,
                                   DetectorForm form,
                                   std::vector<std::int32_t> labels,
                                   torch::Device device,
                                   const DetectionAugmentation& augmentation,
                                   int threads)
    : source_(std::move(source)),
      form_(std::move(form)),
      labels_(std::move(labels)),
      device_(device),
      augmentation_(augmentation),
      threads_(threads > 0 ? threads : usable_processors()) {
  for (const std::int32_t label : labels_) {
    if (label >= 0 && label < form_.classes) continue;
    throw InputError(cat("[detector] the data have a class ",
                         label,
                         ", expected one of the model's ",
                         form_.classes));
  }
}

std::vector<LabelledBox> DetectionBatches::objects(std::int64_t index) const {
  const DetectionEntry& entry = source_->entries()[static_cast<std::size_t>(index)];
  std::vector<LabelledBox> objects = entry.objects;
  const auto width = static_cast<float>(entry.size.width);
  const auto height = static_cast<float>(entry.size.height);
  for (LabelledBox& object : objects) {
    object.label = labels_.at(static_cast<std::size_t>(object.label));
    object.box = {.left = object.box.left / width,
                  .top = object.box.top / height,
                  .right = object.box.right / width,
                  .bottom = object.box.bottom / height};
  }
  return objects;
}

void DetectionBatches::write_labels(std::span<const LabelledBox> objects,
                                    std::span<float> out) const {
  std::vector<Box> truths;
  std::vector<std::int32_t> classes;
  for (const LabelledBox& object : objects) {
    if (!has_area(object.box)) continue;
    truths.push_back(object.box);
    classes.push_back(labels_.at(static_cast<std::size_t>(object.label)) + 1);
  }
  const std::vector<std::int32_t> matches = match_priors(truths, form_.priors);
  std::ranges::fill(out, 0.0F);
  for (std::size_t i = 0; i < matches.size(); ++i) {
    if (matches[i] == kNoTruth) continue;
    const auto truth = static_cast<std::size_t>(matches[i]);
    const std::span<float> row = out.subspan(kRow * i, kRow);
    std::ranges::copy(encode_box(truths[truth], form_.priors[i], Variances{}), row.begin());
    row[4] = static_cast<float>(classes[truth]);
  }
}

LoadedBatch DetectionBatches::load(std::span<const std::int64_t> indices,
                                   const std::optional<AugmentationSeed>& seed) const {
  const auto count = static_cast<std::int64_t>(indices.size());
  const auto priors = static_cast<std::int64_t>(form_.priors.size());
  const auto options = [&](torch::Dtype type) {
    return torch::TensorOptions(type).pinned_memory(device_.is_cuda());
  };
  LoadedBatch loaded{.indices = {indices.begin(), indices.end()},
                     .input = torch::empty({count, 3, form_.size.height, form_.size.width},
                                           options(torch::kUInt8)),
                     .labels = torch::empty({count, priors, kRow}, options(torch::kFloat32))};
  const std::span pixels(loaded.input.data_ptr<std::uint8_t>(),
                         static_cast<std::size_t>(loaded.input.numel()));
  const std::span rows(loaded.labels.data_ptr<float>(),
                       static_cast<std::size_t>(loaded.labels.numel()));
  const std::size_t image = pixels.size() / std::max<std::size_t>(1, indices.size());
  const std::size_t matrix = rows.size() / std::max<std::size_t>(1, indices.size());
  const DetectionAugmentation changes = seed ? augmentation_ : DetectionAugmentation::none();
  // Ranges depend on the number of threads, what becomes of a sample does not.
  parallel_for(indices.size(), threads_, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      DetectionSample read = source_->read(indices[i]);
      loaded.indices[i] = read.index;
      Random random = random_of(seed.value_or(AugmentationSeed{}), indices[i]);
      const BoxedSample sample = augment(std::move(read), changes, form_.size, random);
      std::ranges::copy(sample.pixels, pixels.subspan(i * image, image).begin());
      write_labels(sample.objects, rows.subspan(i * matrix, matrix));
    }
  });
  return loaded;
}

Batch DetectionBatches::ready(const LoadedBatch& loaded,
                              const std::optional<AugmentationSeed>& /*seed*/) const {
  const torch::NoGradGuard no_gradient;
  return {sent_to(device_, loaded.input).to(torch::kFloat32).div_(255.0F),
          sent_to(device_, loaded.labels)};
}

}  // namespace lastbit
