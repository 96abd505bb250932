#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <numeric>
#include <vector>

#include "lastbit/quant/first_look.h"
#include "lastbit/quant/scale_fit.h"
#include "lastbit/quant/sort.h"

namespace lastbit {
namespace {

// The weights of one side, with room for what sorting needs.
class SideWeights {
 public:
  SideWeights(std::span<const float> weights,
              std::span<const float> importance,
              std::vector<float> levels,
              bool positive,
              bool negative)
      : levels_(std::move(levels)) {
    if (importance.empty()) {
      take(weights, positive, negative);
    } else {
      take(weights, importance, positive, negative);
    }
  }

  Side side() const noexcept { return {magnitudes_, importance_, levels_}; }

 private:
  void take(std::span<const float> weights, bool positive, bool negative) {
    first_ = std::make_unique_for_overwrite<float[]>(weights.size() + 1);
    float* end = first_.get();
    if (positive && negative) {
      end =
          std::transform(weights.begin(), weights.end(), end, [](float w) { return std::abs(w); });
    } else {
      // Written without a branch, which would be mispredicted half of the time.
      for (const float w : weights) {
        *end = std::abs(w);
        end += (w < 0.0F) == negative ? 1 : 0;
      }
    }
    std::span<float> magnitudes(first_.get(), end);
    if (levels_.size() > 1) {
      second_ = std::make_unique_for_overwrite<float[]>(magnitudes.size());
      magnitudes = sort_floats(magnitudes, {second_.get(), magnitudes.size()});
    }
    magnitudes_ = magnitudes;
  }

  void take(std::span<const float> weights,
            std::span<const float> importance,
            bool positive,
            bool negative) {
    std::vector<WeightedValue> values;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const bool wanted = weights[i] < 0.0F ? negative : positive;
      if (wanted && importance[i] > 0.0F) values.push_back({std::abs(weights[i]), importance[i]});
    }
    if (levels_.size() > 1) sort_weighted(values);
    first_ = std::make_unique_for_overwrite<float[]>(values.size());
    second_ = std::make_unique_for_overwrite<float[]>(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      first_[i] = values[i].value;
      second_[i] = values[i].importance;
    }
    magnitudes_ = {first_.get(), values.size()};
    importance_ = {second_.get(), values.size()};
  }

  std::vector<float> levels_;
  std::unique_ptr<float[]> first_;
  std::unique_ptr<float[]> second_;
  std::span<const float> magnitudes_;
  std::span<const float> importance_;
};

}  // namespace

std::vector<float> rising_levels(const Codebook& levels, bool mirrored) {
  std::vector<float> all(levels.levels().begin(), levels.levels().end());
  if (mirrored) {
    std::reverse(all.begin(), all.end());
    for (float& level : all) level = 0.0F - level;
  }
  const Code nearest = Codebook(all).nearest(0.0F);
  return {all.begin() + nearest, all.end()};
}

ScaleSearch::ScaleSearch(const Codebook& levels)
    : up_(rising_levels(levels, false)), down_(rising_levels(levels, true)) {
  if (up_ == down_ && up_.size() > 1 && up_.size() <= FirstLook::kMostLevels) {
    look_ = std::make_shared<const FirstLook>(up_);
  }
}

double ScaleSearch::best(std::span<const float> weights,
                         std::span<const float> importance,
                         double expected) const {
  // Below this many, sorting them all takes less time than the tables of the narrow search.
  constexpr std::size_t kMany = 1000;
  if (up_ == down_ && up_.size() > 1 && importance.empty() && weights.size() >= kMany) {
    return best_scale_of_many(weights, up_, look_.get(), expected);
  }
  std::vector<SideWeights> sides;
  if (up_ == down_) {
    sides.emplace_back(weights, importance, up_, true, true);
  } else {
    sides.emplace_back(weights, importance, up_, true, false);
    sides.emplace_back(weights, importance, down_, false, true);
  }
  std::vector<Side> views;
  for (const SideWeights& side : sides) views.push_back(side.side());
  return best_scale(views);
}

}  // namespace lastbit
