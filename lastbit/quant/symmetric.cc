#include "lastbit/quant/symmetric.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/quant/scale_fit.h"
#include "lastbit/quant/sort.h"

namespace lastbit {
namespace {

Codebook mirror(const std::vector<float>& magnitudes) {
  std::vector<float> levels;
  for (const float magnitude : magnitudes) {
    if (magnitude > 0.0F) levels.insert(levels.begin(), -magnitude);
    levels.push_back(magnitude);
  }
  return Codebook(std::move(levels));
}

// Working memory for one group, reused from group to group.
struct Scratch {
  explicit Scratch(std::size_t size)
      : magnitudes(std::make_unique_for_overwrite<float[]>(size)),
        other(std::make_unique_for_overwrite<float[]>(size)) {}
  std::unique_ptr<float[]> magnitudes;
  std::unique_ptr<float[]> other;
};

// The weights of magnitude at least `middle` are those of magnitude at least this float.
float threshold(double middle) {
  const auto rounded = static_cast<float>(middle);
  if (rounded >= middle) return rounded;
  return std::nextafter(rounded, std::numeric_limits<float>::infinity());
}

class SymmetricSet final : public Projector {
 public:
  SymmetricSet(std::string form, std::vector<float> magnitudes, Granularity per)
      : form_(std::move(form)),
        magnitudes_(std::move(magnitudes)),
        levels_(mirror(magnitudes_)),
        per_(per) {}

  std::string name() const override { return form_ + suffix(per_); }
  const Codebook* levels() const noexcept override { return &levels_; }
  int size() const noexcept override { return levels_.size(); }
  Granularity granularity() const noexcept override { return per_; }
  Quantized project(std::span<const float> weights,
                    const ChannelLayout& layout,
                    const ProjectionHints& hints) const override;

 private:
  void check(std::span<const float> weights, const ChannelLayout& layout) const;
  float fit(std::span<const float> weights, Scratch& scratch) const;
  double round(std::span<const float> weights, float scale, std::span<Code> codes) const;
  void project_channels(std::span<const float> weights, Quantized& result) const;

  std::string form_;
  std::vector<float> magnitudes_;
  Codebook levels_;
  Granularity per_;
};

void SymmetricSet::check(std::span<const float> weights, const ChannelLayout& layout) const {
  if (weights.empty()) throw InputError(cat("[", form_, "] no weights, expected at least one"));
  const bool positive = layout.before > 0 && layout.channels > 0 && layout.after > 0;
  if (!positive || weights.size() != static_cast<std::size_t>(layout.size())) {
    throw InputError(cat("[",
                         form_,
                         "] ",
                         weights.size(),
                         " weights do not fill the layout ",
                         layout.before,
                         " x ",
                         layout.channels,
                         " x ",
                         layout.after));
  }
  // Without an early end, the loop is vector code.
  int bad = 0;
  for (const float w : weights) bad |= std::abs(w) <= std::numeric_limits<float>::max() ? 0 : 1;
  if (bad == 0) return;
  const auto first =
      std::find_if_not(weights.begin(), weights.end(), [](float w) { return std::isfinite(w); });
  throw InputError(cat("[",
                       form_,
                       "] weights[",
                       first - weights.begin(),
                       "] is ",
                       *first,
                       ", expected a finite value"));
}

// The scale of one group.
float SymmetricSet::fit(std::span<const float> weights, Scratch& scratch) const {
  std::span<float> sorted(scratch.magnitudes.get(), weights.size());
  std::transform(
      weights.begin(), weights.end(), sorted.begin(), [](float w) { return std::abs(w); });
  if (magnitudes_.size() > 1)
    sorted = sort_magnitudes(sorted, {scratch.other.get(), sorted.size()});
  return static_cast<float>(best_scale(sorted, magnitudes_));
}

// Gives each weight the code of its nearest level, as Codebook::nearest of weight / scale would
// without rounding, and returns the squared error.
double SymmetricSet::round(std::span<const float> weights,
                           float scale,
                           std::span<Code> codes) const {
  const Code zero = levels_.nearest(0.0F);
  // Without a scale all levels are zero, and the smallest stands for them.
  if (scale == 0.0F) {
    std::fill(codes.begin(), codes.end(), zero);
    return std::transform_reduce(
        weights.begin(), weights.end(), 0.0, std::plus<>(), [](double w) { return w * w; });
  }
  std::vector<float> thresholds;
  for (std::size_t i = 1; i < magnitudes_.size(); ++i) {
    const double sum = static_cast<double>(magnitudes_[i - 1]) + magnitudes_[i];
    thresholds.push_back(threshold(0.5 * sum * scale));
  }
  std::vector<double> values;
  for (const float level : levels_.levels()) values.push_back(static_cast<double>(level) * scale);
  // The k-th step from the smallest level leads to the code zero + k or below - k.
  const int below = magnitudes_[0] > 0.0F ? zero - 1 : zero;
  // One simple loop after the other over a block is what compilers make vector code of.
  constexpr std::size_t kBlock = 512;
  std::array<int, kBlock> steps{};
  std::array<double, 4> errors{};
  for (std::size_t begin = 0; begin < weights.size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, weights.size() - begin);
    const float* w = weights.data() + begin;
    Code* code = codes.data() + begin;
    steps.fill(0);
    for (const float least : thresholds) {
      for (std::size_t i = 0; i < count; ++i) steps[i] += std::abs(w[i]) >= least ? 1 : 0;
    }
    for (std::size_t i = 0; i < count; ++i) {
      code[i] = static_cast<Code>(w[i] < 0.0F ? below - steps[i] : zero + steps[i]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const double error = static_cast<double>(w[i]) - values[code[i]];
      errors[i % errors.size()] += error * error;
    }
  }
  return (errors[0] + errors[1]) + (errors[2] + errors[3]);
}

void SymmetricSet::project_channels(std::span<const float> weights, Quantized& result) const {
  const auto before = static_cast<std::size_t>(result.layout.before);
  const auto channels = static_cast<std::size_t>(result.layout.channels);
  const auto after = static_cast<std::size_t>(result.layout.after);
  std::vector<float> group(before * after);
  std::vector<Code> codes(before * after);
  Scratch scratch(before * after);
  for (std::size_t channel = 0; channel < channels; ++channel) {
    for (std::size_t b = 0; b < before; ++b) {
      const auto part = weights.subspan((b * channels + channel) * after, after);
      std::copy(part.begin(), part.end(), group.begin() + static_cast<std::ptrdiff_t>(b * after));
    }
    result.scales[channel] = fit(group, scratch);
    result.squared_error += round(group, result.scales[channel], codes);
    for (std::size_t b = 0; b < before; ++b) {
      const auto part = std::span(codes).subspan(b * after, after);
      std::copy(
          part.begin(),
          part.end(),
          result.codes.begin() + static_cast<std::ptrdiff_t>((b * channels + channel) * after));
    }
  }
}

Quantized SymmetricSet::project(std::span<const float> weights,
                                const ChannelLayout& layout,
                                const ProjectionHints& /*hints*/) const {
  check(weights, layout);
  const bool by_channel = per_ == Granularity::kChannel;
  const std::size_t scales = by_channel ? static_cast<std::size_t>(layout.channels) : 1;
  Quantized result{levels_,
                   per_,
                   layout,
                   std::vector<float>(scales, 1.0F),
                   std::vector<Code>(weights.size()),
                   0.0};
  if (by_channel) {
    project_channels(weights, result);
    return result;
  }
  if (per_ == Granularity::kTensor) {
    Scratch scratch(weights.size());
    result.scales[0] = fit(weights, scratch);
  }
  result.squared_error = round(weights, result.scales[0], result.codes);
  return result;
}

}  // namespace

std::string suffix(Granularity per) {
  switch (per) {
    case Granularity::kNone:
      return "/none";
    case Granularity::kTensor:
      return "/tensor";
    case Granularity::kChannel:
      return "/channel";
    case Granularity::kGroup:
      return "/group";
  }
  return "";
}

std::shared_ptr<const Projector> make_symmetric(std::string form,
                                                const std::vector<float>& magnitudes,
                                                Granularity per) {
  return std::make_shared<SymmetricSet>(std::move(form), magnitudes, per);
}

}  // namespace lastbit
