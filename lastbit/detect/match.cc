#include "lastbit/detect/match.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

/// A truth and the free prior that it overlaps most.
struct Best {
  double overlap = 0.0;
  std::size_t prior = 0;
};

Best best_free(std::span<const double> overlaps, std::span<const std::int32_t> matches) {
  Best best;
  for (std::size_t i = 0; i < overlaps.size(); ++i) {
    if (overlaps[i] > best.overlap && matches[i] == kNoTruth) best = {overlaps[i], i};
  }
  return best;
}

}  // namespace

std::vector<std::int32_t> match_priors(std::span<const Box> truths,
                                       std::span<const CentredBox> priors,
                                       double threshold) {
  const std::size_t count = priors.size();
  std::vector<Box> boxes(count);
  std::ranges::transform(priors, boxes.begin(), edges);
  std::vector<double> overlaps(truths.size() * count);  // (truths, priors)
  const auto row = [&](std::size_t t) { return std::span(overlaps).subspan(t * count, count); };
  for (std::size_t t = 0; t < truths.size(); ++t) {
    if (!has_area(truths[t])) {
      throw InputError(
          cat("[match] truths[", t, "] has no area, expected right > left, bottom > top"));
    }
    for (std::size_t i = 0; i < count; ++i) overlaps[t * count + i] = iou(truths[t], boxes[i]);
  }

  std::vector<std::int32_t> matches(count, kNoTruth);
  std::vector<Best> best(truths.size());
  for (std::size_t t = 0; t < truths.size(); ++t) best[t] = best_free(row(t), matches);
  for (std::size_t left = truths.size(); left > 0; --left) {
    const auto most = std::ranges::max_element(best, {}, &Best::overlap);
    if (most->overlap <= 0.0) break;
    const std::size_t prior = most->prior;
    matches[prior] = static_cast<std::int32_t>(most - best.begin());
    *most = {};
    for (std::size_t t = 0; t < truths.size(); ++t) {
      if (best[t].overlap > 0.0 && best[t].prior == prior) best[t] = best_free(row(t), matches);
    }
  }

  for (std::size_t i = 0; i < count; ++i) {
    if (matches[i] != kNoTruth) continue;
    double most = threshold;
    for (std::size_t t = 0; t < truths.size(); ++t) {
      if (overlaps[t * count + i] <= most) continue;
      most = overlaps[t * count + i];
      matches[i] = static_cast<std::int32_t>(t);
    }
  }
  return matches;
}

std::vector<std::uint8_t> mine_hard_negatives(std::span<const float> losses,
                                              std::span<const std::int32_t> matches,
                                              double ratio) {
  if (losses.size() != matches.size() || !(ratio >= 0.0 && std::isfinite(ratio))) {
    throw InputError(cat("[match] ",
                         losses.size(),
                         " losses, ",
                         matches.size(),
                         " matches and a ratio of ",
                         ratio,
                         ", expected as many and a ratio from 0 on"));
  }
  std::vector<std::uint8_t> counts(losses.size());
  std::vector<std::size_t> negatives;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    if (std::isnan(losses[i])) throw InputError(cat("[match] losses[", i, "] is nan"));
    if (matches[i] == kNoTruth) {
      negatives.push_back(i);
    } else {
      counts[i] = 1;
    }
  }
  const double wanted = std::floor(ratio * static_cast<double>(losses.size() - negatives.size()));
  const auto take =
      static_cast<std::size_t>(std::min(wanted, static_cast<double>(negatives.size())));
  const auto end = negatives.begin() + static_cast<std::ptrdiff_t>(take);
  std::nth_element(negatives.begin(), end, negatives.end(), [&](std::size_t a, std::size_t b) {
    return losses[a] > losses[b] || (losses[a] == losses[b] && a < b);
  });
  std::for_each(negatives.begin(), end, [&](std::size_t i) { counts[i] = 1; });
  return counts;
}

}  // namespace lastbit
