#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <torch/types.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/detector.h"
#include "lastbit/cli/eval_detector.h"
#include "lastbit/cli/train/verify_checks.h"
#include "lastbit/detect/box_coding.h"
#include "lastbit/detect/selection_check.h"
#include "lastbit/runtime/kernels/kernel_set.h"
#include "lastbit/train/detection_batches.h"
#include "lastbit/train/network.h"

namespace lastbit {
namespace {

constexpr std::int64_t kImages = 100;       // that are looked at
constexpr std::int64_t kKernelImages = 10;  // on which every set of kernels runs
constexpr DetectionLimits kLimits;          // of detections that are evaluated: SSD's
constexpr double kSlack = 1e-6;             // of scores and overlaps that decide what is selected
constexpr double kSamePoints = 0.1;         // of mAP, by which a near tie may change it
constexpr double kInt8Points = 1.0;         // of mAP, that integer activations may differ by

/// What is made of one image.
struct Outcome {
  std::vector<float> boxes;   // [priors, 4], as the file has them
  std::vector<float> scores;  // [classes, priors]
  std::vector<std::pair<std::int32_t, std::int32_t>> selected;

  DetectorOutputs outputs() const {
    return {.boxes = boxes, .scores = scores, .selected = selected};
  }
};

std::vector<Box> boxes_of(std::span<const float> edges) {
  std::vector<Box> boxes;
  for (; !edges.empty(); edges = edges.subspan(4)) boxes.push_back(box_of(edges.first<4>()));
  return boxes;
}

// The limits that the file's suppression has.
SuppressionLimits limits_of(const Graph& graph) {
  const auto node = std::ranges::find_if(graph.nodes, [](const Node& one) {
    return one.op == "NonMaxSuppression" && one.outputs[0] == "selected";
  });
  if (node == graph.nodes.end()) {
    throw InputError("[verify] 'selected' is not made by a NonMaxSuppression");
  }
  const auto constant = [&](std::size_t i) -> const Initializer* {
    return i < node->inputs.size() ? graph.find_initializer(node->inputs[i]) : nullptr;
  };
  SuppressionLimits limits{.max_iou = 0.0, .most = 0};
  if (const auto* most = constant(2)) {
    limits.most = static_cast<std::size_t>(std::get<Tensor>(*most).as_int64s()[0]);
  }
  if (const auto* overlap = constant(3)) limits.max_iou = decode(*overlap).as_floats()[0];
  if (const auto* score = constant(4)) limits.min_score = decode(*score).as_floats()[0];
  return limits;
}

/// The trained part under LibTorch, and what follows it by lastbit/detect.
class Reference {
 public:
  explicit Reference(const Graph& graph)
      : priors_(detector_form(graph).priors),
        network_(graph, {}, torch::kCPU, {kDetectorValues.begin(), kDetectorValues.end()}),
        limits_(limits_of(graph)) {
    network_.set_training(false);
  }
  const SuppressionLimits& limits() const noexcept { return limits_; }

  Outcome look_at(const Image& image, const ImageSize& size) {
    const torch::NoGradGuard no_gradient;
    const torch::Tensor input = torch::empty({1, 3, size.height, size.width});
    stretch_to_input(
        image, size, {input.data_ptr<float>(), static_cast<std::size_t>(input.numel())});
    const std::vector<torch::Tensor> values = network_.compute({&input, 1});
    const torch::Tensor offsets = values[0].contiguous();
    // The class "nothing" goes; [priors, classes] becomes [classes, priors].
    const torch::Tensor shares = values[1][0].softmax(1).slice(1, 1).transpose(0, 1).contiguous();
    Outcome result;
    for (std::size_t i = 0; i < priors_.size(); ++i) {
      const Box box = decode_box(
          std::span<const float, 4>(offsets.data_ptr<float>() + 4 * i, 4), priors_[i], {});
      result.boxes.insert(result.boxes.end(), {box.top, box.left, box.bottom, box.right});
    }
    result.scores.assign(shares.data_ptr<float>(), shares.data_ptr<float>() + shares.numel());
    const std::vector<Box> boxes = boxes_of(result.boxes);
    std::vector<std::int32_t> order(boxes.size());
    for (std::int32_t c = 0; c < shares.size(0); ++c) {
      const auto scores = std::span(result.scores).subspan(c * boxes.size(), boxes.size());
      const std::size_t kept = suppress(boxes, scores, limits_, order);
      for (std::size_t i = 0; i < kept; ++i) result.selected.emplace_back(c, order[i]);
    }
    return result;
  }

 private:
  std::vector<CentredBox> priors_;
  Network network_;
  SuppressionLimits limits_;
};

/// What our runtime's outputs have in common with the reference's.
struct Agreement {
  double boxes = 0.0;         // largest difference, as a part of the image or of the box beyond it
  double scores = 0.0;        // largest difference
  std::int64_t wrong = 0;     // that suppression of our own boxes and scores would not select
  std::int64_t other = 0;     // rows that one of the two selects alone
  std::int64_t selected = 0;  // by the reference

  bool holds() const { return boxes <= kTolerance && scores <= kTolerance && wrong == 0; }
  std::string finding() const {
    return fmt::format(
        "largest difference of boxes {:.1e}, of scores {:.1e}; {} wrongly selected "
        "({} of {} differ at near ties)",
        boxes,
        scores,
        wrong,
        other,
        selected);
  }
  void add(const Outcome& expected, const DetectorOutputs& ours, const SuppressionLimits& limits);
};

void Agreement::add(const Outcome& expected,
                    const DetectorOutputs& ours,
                    const SuppressionLimits& limits) {
  for (std::size_t i = 0; i < ours.boxes.size(); ++i) {
    const double edge = expected.boxes[i];
    boxes = std::max(boxes, std::abs(ours.boxes[i] - edge) / std::max(1.0, std::abs(edge)));
  }
  for (std::size_t i = 0; i < ours.scores.size(); ++i) {
    scores = std::max(scores, std::abs(double{ours.scores[i]} - expected.scores[i]));
  }
  const std::vector<Box> all = boxes_of(ours.boxes);
  std::vector<std::vector<std::int32_t>> by_class(ours.scores.size() / all.size());
  for (const auto& [label, index] : ours.selected) {
    by_class[static_cast<std::size_t>(label)].push_back(index);
  }
  for (std::size_t c = 0; c < by_class.size(); ++c) {
    const auto own = ours.scores.subspan(c * all.size(), all.size());
    wrong += wrong_selections(all, own, by_class[c], limits, kSlack);
  }
  auto mine = ours.selected;
  auto theirs = expected.selected;
  std::ranges::sort(mine);
  std::ranges::sort(theirs);
  std::vector<std::pair<std::int32_t, std::int32_t>> alone;
  std::ranges::set_symmetric_difference(mine, theirs, std::back_inserter(alone));
  other += static_cast<std::int64_t>(alone.size());
  selected += static_cast<std::int64_t>(theirs.size());
}

/// The images, and what is in them by the model's labels.
struct Samples {
  std::vector<Image> images;
  std::vector<std::vector<Truth>> truths;
};

Samples read_samples(const DetectionSource& source, std::span<const std::int32_t> labels) {
  Samples samples;
  for (std::int64_t i = 0; i < std::min(kImages, source.size()); ++i) {
    DetectionSample one = source.read(i);
    if (one.index != i) continue;  // the image is damaged, and this is another
    samples.images.push_back(std::move(one.image));
    samples.truths.push_back(truths_of(one.objects, labels));
  }
  return samples;
}

/// mAP in percent of what `find` makes of each image; 0 for data without objects that count.
template <typename Find>
double mean_precision(const Samples& samples, std::size_t classes, Find find) {
  std::vector<EvaluatedImage> images;
  for (std::size_t i = 0; i < samples.images.size(); ++i) {
    images.push_back({.truths = samples.truths[i], .detections = find(i)});
  }
  const double mean = mean_average_precision(images, static_cast<std::int32_t>(classes), {}).mean;
  return std::isnan(mean) ? 0.0 : 100.0 * mean;
}

}  // namespace

std::vector<Check> check_detector(const Graph& graph,
                                  const std::string& model,
                                  const DataChoice& data) {
  Detector detector(graph, {}, model);
  const DetectionSet set = open_detection(data.name, options_of(data));
  const std::span<const std::string> names = detector.class_names();
  const Samples samples = read_samples(data.part == "train" ? *set.train : *set.test,
                                       match_classes(names, set.class_names));
  Reference reference(graph);
  std::vector<Outcome> expected;
  for (const Image& image : samples.images) {
    expected.push_back(reference.look_at(image, detector.input_size()));
  }

  Agreement found;
  const double ours = mean_precision(samples, names.size(), [&](std::size_t i) {
    auto detections = detector.detect(samples.images[i], kLimits.min_score, kLimits.most);
    found.add(expected[i], detector.outputs(), reference.limits());
    return detections;
  });
  const double theirs = mean_precision(samples, names.size(), [&](std::size_t i) {
    return to_detections(
        expected[i].outputs(), samples.images[i].size, kLimits.min_score, kLimits.most);
  });
  const auto claim = [](const std::string& who, std::size_t count) {
    return fmt::format("{} agrees with LibTorch within {:g} on {} images", who, kTolerance, count);
  };
  std::vector<Check> checks = {
      {.claim = claim("runtime", samples.images.size()),
       .holds = found.holds(),
       .finding = found.finding()},
      {.claim =
           fmt::format("runtime and LibTorch have the same mAP within {:g} points", kSamePoints),
       .holds = std::abs(ours - theirs) <= kSamePoints,
       .finding = fmt::format("{:.2f}% and {:.2f}%", ours, theirs)}};
  for (const KernelSet* kernels : runnable_kernels()) {
    if (kernels == runnable_kernels().front()) continue;  // which has just run
    Detector other(graph, {.kernels = kernels->name}, model);
    const std::size_t count =
        std::min(samples.images.size(), static_cast<std::size_t>(kKernelImages));
    Agreement part;
    for (std::size_t i = 0; i < count; ++i) {
      other.detect(samples.images[i], kLimits.min_score, kLimits.most);
      part.add(expected[i], other.outputs(), reference.limits());
    }
    checks.push_back({.claim = claim(cat("kernels '", kernels->name, "'"), count),
                      .holds = part.holds(),
                      .finding = part.finding()});
  }
  Detector bytes(graph, {.activations = Activations::kInt8}, model);
  const double rounded = mean_precision(samples, names.size(), [&](std::size_t i) {
    return bytes.detect(samples.images[i], kLimits.min_score, kLimits.most);
  });
  checks.push_back(
      {.claim = fmt::format("8-bit activations change the mAP by {:g} points at most", kInt8Points),
       .holds = std::abs(rounded - ours) <= kInt8Points,
       .finding = fmt::format("{:.2f}% and {:.2f}%", rounded, ours)});
  return checks;
}

}  // namespace lastbit
