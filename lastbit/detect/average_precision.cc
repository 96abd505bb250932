#include "lastbit/detect/average_precision.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

struct Candidate {
  float score;
  std::size_t image;
  const Box* box;
};

enum class Verdict : std::uint8_t { kFound, kFalseAlarm, kPassedOver };

/// The truths of one image that are already found.
using Found = std::vector<std::uint8_t>;

Verdict judge(const Box& box,
              std::int32_t label,
              const std::vector<Truth>& truths,
              Found& found,
              const PrecisionOptions& options) {
  double most = -1.0;
  std::size_t best = 0;
  for (std::size_t t = 0; t < truths.size(); ++t) {
    if (truths[t].label != label) continue;
    const double overlap = iou(box, truths[t].box, options.extra);
    if (overlap > most) {
      most = overlap;
      best = t;
    }
  }
  if (most < options.min_iou) return Verdict::kFalseAlarm;
  if (truths[best].difficult) return Verdict::kPassedOver;
  if (found[best] != 0) return Verdict::kFalseAlarm;
  found[best] = 1;
  return Verdict::kFound;
}

/// The curve of a class where recall rises: the i-th truth found, and after how many detections.
struct Curve {
  std::int64_t truths = 0;
  std::vector<std::int64_t> detections;  // (found)

  // The best precision once `count` truths are found, for count = 0, ..., found; the last is 0.
  std::vector<double> best_precisions() const {
    std::vector<double> best(detections.size() + 1);
    for (std::size_t i = detections.size(); i-- > 0;) {
      best[i] =
          std::max(best[i + 1], static_cast<double>(i + 1) / static_cast<double>(detections[i]));
    }
    return best;
  }
};

double eleven_points(const Curve& curve) {
  const std::vector<double> best = curve.best_precisions();
  double sum = 0.0;
  for (std::int64_t tenth = 0; tenth <= 10; ++tenth) {
    // The smallest count of found truths with count / truths >= tenth / 10; the first recall that
    // the curve has is of one truth.
    const std::int64_t count = std::max<std::int64_t>(1, (tenth * curve.truths + 9) / 10);
    if (count < static_cast<std::int64_t>(best.size())) sum += best[count - 1];
  }
  return sum / 11.0;
}

double area_under(const Curve& curve) {
  const std::vector<double> best = curve.best_precisions();
  double sum = 0.0;
  for (const double precision : best) sum += precision;
  return sum / static_cast<double>(curve.truths);
}

void check(std::span<const EvaluatedImage> images, std::int32_t classes) {
  const auto check_label =
      [&](std::int32_t label, const char* what, std::size_t image, std::size_t i) {
        if (label >= 0 && label < classes) return;
        throw InputError(cat("[precision] ",
                             what,
                             " ",
                             i,
                             " of image ",
                             image,
                             " has label ",
                             label,
                             ", expected 0, ..., ",
                             classes - 1));
      };
  for (std::size_t k = 0; k < images.size(); ++k) {
    for (std::size_t i = 0; i < images[k].truths.size(); ++i) {
      check_label(images[k].truths[i].label, "truth", k, i);
    }
    for (std::size_t i = 0; i < images[k].detections.size(); ++i) {
      check_label(images[k].detections[i].label, "detection", k, i);
      if (std::isnan(images[k].detections[i].score)) {
        throw InputError(cat("[precision] detection ", i, " of image ", k, " has a score of nan"));
      }
    }
  }
}

ClassPrecision evaluate(std::span<const EvaluatedImage> images,
                        std::int32_t label,
                        const PrecisionOptions& options) {
  ClassPrecision result;
  std::vector<Candidate> candidates;
  std::vector<Found> found(images.size());
  for (std::size_t k = 0; k < images.size(); ++k) {
    found[k].resize(images[k].truths.size());
    for (const Truth& truth : images[k].truths) {
      if (truth.label == label && !truth.difficult) ++result.truths;
    }
    for (const Detection& detection : images[k].detections) {
      if (detection.label == label) candidates.push_back({detection.score, k, &detection.box});
    }
  }
  std::ranges::stable_sort(candidates, std::ranges::greater(), &Candidate::score);
  Curve curve{.truths = result.truths, .detections = {}};
  for (const Candidate& candidate : candidates) {
    switch (judge(
        *candidate.box, label, images[candidate.image].truths, found[candidate.image], options)) {
      case Verdict::kFound:
        ++result.found;
        curve.detections.push_back(result.found + result.false_alarms);
        break;
      case Verdict::kFalseAlarm:
        ++result.false_alarms;
        break;
      case Verdict::kPassedOver:
        break;
    }
  }
  result.average_precision = result.truths == 0 ? std::numeric_limits<double>::quiet_NaN()
                             : options.rule == PrecisionRule::kArea ? area_under(curve)
                                                                    : eleven_points(curve);
  return result;
}

}  // namespace

MeanPrecision mean_average_precision(std::span<const EvaluatedImage> images,
                                     std::int32_t classes,
                                     const PrecisionOptions& options) {
  check(images, classes);
  MeanPrecision result;
  double sum = 0.0;
  std::int64_t counted = 0;
  for (std::int32_t label = 0; label < classes; ++label) {
    const ClassPrecision& one = result.classes.emplace_back(evaluate(images, label, options));
    if (one.truths == 0) continue;
    sum += one.average_precision;
    ++counted;
  }
  result.mean =
      counted == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(counted);
  return result;
}

}  // namespace lastbit
