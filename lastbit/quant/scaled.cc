#include "lastbit/quant/scaled.h"

#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "lastbit/base/text.h"
#include "lastbit/quant/alternating.h"
#include "lastbit/quant/groups.h"
#include "lastbit/quant/rounding.h"
#include "lastbit/quant/scale_fit.h"

namespace lastbit {
namespace {

std::string suffix(const ScaleOptions& scale) {
  const std::string_view alternating = scale.alternating ? "/alternating" : "";
  switch (scale.per) {
    case Granularity::kNone:
      return "/none";
    case Granularity::kTensor:
      return cat("/tensor", alternating);
    case Granularity::kChannel:
      return cat(scale.by_gate ? "/gate" : "/channel", alternating);
    case Granularity::kGroup:
      return cat("/group:", scale.group, alternating);
  }
  return "";
}

constexpr std::int64_t kManyChannels = 64;
constexpr std::size_t kAlone = 8;

double mean_magnitude(std::span<const float> weights) {
  double sum = 0.0;
  for (const float w : weights) sum += std::abs(w);
  return sum / static_cast<double>(weights.size());
}

class ScaledSet final : public Projector {
 public:
  ScaledSet(std::string form, Codebook levels, const ScaleOptions& scale)
      : form_(std::move(form)), levels_(std::move(levels)), scale_(scale), search_(levels_) {}

  std::string name() const override { return form_ + suffix(scale_); }
  const Codebook* levels() const noexcept override { return &levels_; }
  int size() const noexcept override { return levels_.size(); }
  Granularity granularity() const noexcept override { return scale_.per; }
  bool by_gate() const noexcept override { return scale_.by_gate; }

  Quantized project(std::span<const float> weights,
                    const ChannelLayout& layout,
                    const ProjectionHints& hints) const override {
    check_projection(form_, weights, layout, hints, size());
    Quantized result{
        .levels = levels_,
        .per = scale_.per,
        .layout = layout,
        .scales = std::vector<float>(scale_count(scale_.per, layout, scale_.group), 1.0F),
        .codes = std::vector<Code>(weights.size()),
        .squared_error = 0.0,
        .group = scale_.group};
    const Quantized* start = hints.start;
    if (start != nullptr && start->scales.size() != result.scales.size()) start = nullptr;
    // Some channels, worked before all others, tell these about their scales.
    const bool many = scale_.per != Granularity::kNone && scale_.per != Granularity::kTensor &&
                      layout.channels >= kManyChannels;
    const std::size_t alone = many ? kAlone : 0;
    std::vector<double> ratios;
    double expected = 0.0;
    const auto work = [&](const Group& group) {
      float& scale = result.scales[group.index];
      if (scale_.alternating) {
        const float from = start == nullptr ? 0.0F : start->scales[group.index];
        scale = alternating_scale(group.weights, group.importance, levels_, from);
      } else if (scale_.per != Granularity::kNone) {
        scale = static_cast<float>(search_.best(group.weights, group.importance, expected));
        if (group.index < alone && scale > 0.0F) {
          ratios.push_back(scale / mean_magnitude(group.weights));
          expected = std::accumulate(ratios.begin(), ratios.end(), 0.0) /
                     static_cast<double>(ratios.size());
        }
      }
      return Rounding(levels_, scale).round(group.weights, group.codes);
    };
    for_each_group(weights, hints.importance, work, result, alone);
    return result;
  }

 private:
  std::string form_;
  Codebook levels_;
  ScaleOptions scale_;
  ScaleSearch search_;
};

}  // namespace

std::shared_ptr<const Projector> make_scaled(std::string form,
                                             Codebook levels,
                                             const ScaleOptions& scale) {
  return std::make_shared<ScaledSet>(std::move(form), std::move(levels), scale);
}

}  // namespace lastbit
