#include "lastbit/train/detection_task.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <future>
#include <numeric>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/base/threads.h"
#include "lastbit/detect/box_coding.h"
#include "lastbit/detect/suppress.h"
#include "lastbit/train/detection_batches.h"
#include "lastbit/train/multibox.h"

namespace lastbit {
namespace {

constexpr std::size_t kMost = DetectionLimits{}.most;  // detections of an image
constexpr std::int64_t kColumns = 6;  // of a row: left, top, right, bottom, label, score

const DetectionBatches& boxed(const Batches& data) {
  const auto* batches = dynamic_cast<const DetectionBatches*>(&data);
  if (batches == nullptr) {
    throw InputError("[detector] the data have no boxes, expected 'voc:PATH'");
  }
  return *batches;
}

MultiboxSums sums_of(Network& network, const Batch& batch, Precision precision) {
  const std::vector<torch::Tensor> values = network.compute({&batch.input, 1}, precision);
  return multibox_sums(values[0], values[1], batch.labels);
}

/// What is found in one image: boxes cut to it, scores falling. Limits are those of the file.
std::vector<Detection> detections_of(std::span<const float> offsets,
                                     std::span<const float> shares,
                                     std::span<const CentredBox> priors) {
  std::vector<Box> boxes(priors.size());
  for (std::size_t i = 0; i < priors.size(); ++i) {
    boxes[i] = decode_box(std::span<const float, 4>(offsets.data() + 4 * i, 4), priors[i], {});
  }
  DetectionLimits limits;
  limits.candidates = boxes.size();
  std::vector<Detection> found = find_detections(boxes, shares, limits);
  for (Detection& detection : found) detection.box = clipped(detection.box, 1.0F, 1.0F);
  std::erase_if(found, [](const Detection& detection) { return !has_area(detection.box); });
  return found;
}

/// Sums over a part of the data, as doubles in one tensor so that workers can add theirs.
class Findings {
 public:
  explicit Findings(std::int64_t images)
      : values_(torch::zeros({kSums + images * kImage}, torch::kFloat64)) {}

  void add_loss(const MultiboxSums& sums) {
    values_[0] += (sums.location + sums.confidence).to(torch::kCPU, torch::kFloat64);
    values_[1] += sums.matched.to(torch::kCPU, torch::kFloat64);
  }
  /// Any number of threads may call it, each for other images.
  void add(std::int64_t image, std::span<const Detection> found) {
    double* row = begin_of(image);
    *row++ = 1.0;
    *row++ = static_cast<double>(found.size());
    for (const Detection& one : found) {
      for (const float value : {one.box.left, one.box.top, one.box.right, one.box.bottom}) {
        *row++ = value;
      }
      *row++ = one.label;
      *row++ = one.score;
    }
  }
  void join(Communicator& workers) { workers.sum(values_); }

  double loss() const {
    const double* sums = values_.data_ptr<double>();
    return sums[0] / std::max(1.0, sums[1]);
  }
  /// Whether the image was looked at: those that cannot be decoded are not.
  bool has(std::int64_t image) { return *begin_of(image) > 0.0; }
  std::vector<Detection> of(std::int64_t image) {
    const double* row = begin_of(image) + 1;
    std::vector<Detection> found(static_cast<std::size_t>(*row++));
    for (Detection& one : found) {
      one.box = {.left = static_cast<float>(row[0]),
                 .top = static_cast<float>(row[1]),
                 .right = static_cast<float>(row[2]),
                 .bottom = static_cast<float>(row[3])};
      one.label = static_cast<std::int32_t>(row[4]);
      one.score = static_cast<float>(row[5]);
      row += kColumns;
    }
    return found;
  }

 private:
  static constexpr std::int64_t kSums = 2;
  static constexpr std::int64_t kImage = 2 + static_cast<std::int64_t>(kMost) * kColumns;

  double* begin_of(std::int64_t image) {
    return values_.data_ptr<double>() + kSums + image * kImage;
  }

  torch::Tensor values_;
};

void look_at(Network& network,
             const DetectionBatches& data,
             std::span<const std::int64_t> indices,
             const LoadedBatch& loaded,
             Findings& findings) {
  const Batch batch = data.ready(loaded, {});
  const std::vector<torch::Tensor> values = network.compute({&batch.input, 1});
  findings.add_loss(multibox_sums(values[0], values[1], batch.labels));
  const torch::Tensor offsets = values[0].to(torch::kCPU).contiguous();
  const torch::Tensor shares = values[1].softmax(2).to(torch::kCPU).contiguous();
  const auto row = [](const torch::Tensor& tensor, std::size_t i) {
    const auto length = static_cast<std::size_t>(tensor.numel() / tensor.size(0));
    return std::span<const float>(tensor.data_ptr<float>() + i * length, length);
  };
  parallel_for(indices.size(), data.threads(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      if (loaded.indices[i] != indices[i]) continue;  // the image is damaged, and this is another
      findings.add(indices[i], detections_of(row(offsets, i), row(shares, i), data.form().priors));
    }
  });
}

// The images `begin` to `end`; the next ones are decoded while the network looks at some.
void look_at_range(Network& network,
                   const DetectionBatches& data,
                   std::int64_t begin,
                   std::int64_t end,
                   Findings& findings) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(std::max<std::int64_t>(0, end - begin)));
  std::iota(all.begin(), all.end(), begin);
  const auto together = static_cast<std::size_t>(data.tested_together());
  const auto part = [&](std::size_t first) {
    const std::span<const std::int64_t> indices(all);
    return indices.subspan(first, std::min(together, all.size() - first));
  };
  const auto load = [&](std::size_t first) { return data.load(part(first), {}); };
  std::future<LoadedBatch> next;
  for (std::size_t first = 0; first < all.size(); first += together) {
    const LoadedBatch loaded = next.valid() ? next.get() : load(first);
    if (first + together < all.size()) {
      next = std::async(std::launch::async, load, first + together);
    }
    look_at(network, data, part(first), loaded, findings);
  }
}

double mean_precision(Findings& findings, const DetectionBatches& data, PrecisionRule rule) {
  std::vector<EvaluatedImage> images;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    if (!findings.has(i)) continue;
    EvaluatedImage image{.truths = {}, .detections = findings.of(i)};
    for (const LabelledBox& object : data.objects(i)) {
      image.truths.push_back(
          {.box = object.box, .label = object.label, .difficult = object.difficult});
    }
    images.push_back(std::move(image));
  }
  const auto classes = static_cast<std::int32_t>(data.classes());
  const double mean = mean_average_precision(images, classes, {.rule = rule}).mean;
  return std::isnan(mean) ? 0.0 : mean;
}

}  // namespace

void DetectionTask::require_fit(Network& network, const Batches& data) {
  const torch::NoGradGuard no_gradient;
  const DetectionBatches& batches = boxed(data);
  const std::array<std::int64_t, 1> first = {0};
  const Batch batch = batches.gather(first);
  network.set_training(false);
  const std::vector<torch::Tensor> values = network.compute({&batch.input, 1});
  network.set_training(true);
  const auto priors = static_cast<std::int64_t>(batches.form().priors.size());
  const std::array<std::int64_t, 3> offsets = {1, priors, 4};
  const std::array<std::int64_t, 3> logits = {1, priors, batches.classes() + 1};
  if (values.size() == 2 && values[0].sizes() == at::IntArrayRef(offsets) &&
      values[1].sizes() == at::IntArrayRef(logits)) {
    return;
  }
  throw InputError(cat("[detector] the network computes ",
                       values.size(),
                       " values, of which the first is ",
                       to_string(values.front().sizes().vec()),
                       ", expected offsets ",
                       to_string(offsets),
                       " and class_logits ",
                       to_string(logits)));
}

BatchLoss DetectionTask::loss(Network& network, const Batch& batch, const LossOptions& options) {
  if (options.distillation.teacher != nullptr) {
    throw InputError("[distill] a detector learns from boxes alone, expected no teacher");
  }
  const MultiboxSums sums = sums_of(network, batch, options.precision);
  const torch::Tensor loss = sums.loss();
  return {.loss = loss, .misses = sums.misses, .target = loss};
}

Score DetectionTask::evaluate(Network& network, const Batches& data, Communicator* workers) {
  const torch::NoGradGuard no_gradient;
  const DetectionBatches& batches = boxed(data);
  network.set_training(false);
  Findings findings(batches.size());
  const std::int64_t of = workers == nullptr ? 1 : workers->size();
  const std::int64_t at = workers == nullptr ? 0 : workers->rank();
  look_at_range(
      network, batches, batches.size() * at / of, batches.size() * (at + 1) / of, findings);
  if (workers != nullptr) findings.join(*workers);
  network.set_training(true);
  return {.loss = findings.loss(),
          .error = 1.0 - mean_precision(findings, batches, rule_),
          .examples = batches.size(),
          .measure = measure()};
}

}  // namespace lastbit
