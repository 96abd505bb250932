#include "lastbit/quant/groups.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// Where all importances are 0, all count as equal.
std::span<const float> usable(std::span<const float> importance) {
  const bool any =
      std::any_of(importance.begin(), importance.end(), [](float value) { return value > 0.0F; });
  return any ? importance : std::span<const float>();
}

// The runs of one channel whose weights lie side by side.
void channel_groups(std::span<const float> weights,
                    std::span<const float> importance,
                    std::span<Code> codes,
                    std::size_t run,
                    std::size_t first_index,
                    const std::function<double(const Group&)>& work,
                    Quantized& result) {
  for (std::size_t begin = 0; begin < weights.size(); begin += run) {
    const std::size_t count = std::min(run, weights.size() - begin);
    const auto part = importance.empty() ? importance : importance.subspan(begin, count);
    result.squared_error += work({.index = first_index++,
                                  .weights = weights.subspan(begin, count),
                                  .importance = usable(part),
                                  .codes = codes.subspan(begin, count)});
  }
}

bool all_finite(std::span<const float> values) {
  // Without an early end, the loop is vector code.
  int bad = 0;
  for (const float value : values) {
    bad |= std::abs(value) <= std::numeric_limits<float>::max() ? 0 : 1;
  }
  return bad == 0;
}

}  // namespace

void for_each_group(std::span<const float> weights,
                    std::span<const float> importance,
                    const std::function<double(const Group&)>& work,
                    Quantized& result) {
  const std::span<Code> codes(result.codes);
  if (result.per == Granularity::kNone || result.per == Granularity::kTensor) {
    channel_groups(weights, importance, codes, weights.size(), 0, work, result);
    return;
  }
  const auto before = static_cast<std::size_t>(result.layout.before);
  const auto channels = static_cast<std::size_t>(result.layout.channels);
  const auto after = static_cast<std::size_t>(result.layout.after);
  const std::size_t in_channel = before * after;
  const std::size_t run = result.per == Granularity::kGroup
                              ? std::min(in_channel, static_cast<std::size_t>(result.group))
                              : in_channel;
  const std::size_t runs = result.scales.size() / channels;
  // Copies of one channel, where its weights do not lie side by side.
  std::vector<float> own_weights(before > 1 ? in_channel : 0);
  std::vector<float> own_importance(before > 1 && !importance.empty() ? in_channel : 0);
  std::vector<Code> own_codes(before > 1 ? in_channel : 0);
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const std::size_t first = channel * runs;
    if (before == 1) {
      const std::size_t begin = channel * after;
      const auto part = importance.empty() ? importance : importance.subspan(begin, after);
      channel_groups(weights.subspan(begin, after),
                     part,
                     codes.subspan(begin, after),
                     run,
                     first,
                     work,
                     result);
      continue;
    }
    const auto gather = [&](std::span<const float> from, std::vector<float>& to) {
      for (std::size_t b = 0; b < before && !to.empty(); ++b) {
        std::copy_n(&from[(b * channels + channel) * after], after, &to[b * after]);
      }
    };
    gather(weights, own_weights);
    gather(importance, own_importance);
    channel_groups(own_weights, own_importance, own_codes, run, first, work, result);
    for (std::size_t b = 0; b < before; ++b) {
      std::copy_n(&own_codes[b * after], after, &codes[(b * channels + channel) * after]);
    }
  }
}

void check_projection(std::string_view set,
                      std::span<const float> weights,
                      const ChannelLayout& layout,
                      const ProjectionHints& hints,
                      int levels) {
  const auto fail = [&](const auto&... parts) { throw InputError(cat("[", set, "] ", parts...)); };
  if (weights.empty()) fail("no weights, expected at least one");
  const bool positive = layout.before > 0 && layout.channels > 0 && layout.after > 0;
  if (!positive || weights.size() != static_cast<std::size_t>(layout.size())) {
    fail(weights.size(),
         " weights do not fill the layout ",
         layout.before,
         " x ",
         layout.channels,
         " x ",
         layout.after);
  }
  if (!all_finite(weights)) {
    const auto bad =
        std::find_if_not(weights.begin(), weights.end(), [](float w) { return std::isfinite(w); });
    fail("weights[", bad - weights.begin(), "] is ", *bad, ", expected a finite value");
  }
  const std::span<const float> importance = hints.importance;
  if (!importance.empty() && importance.size() != weights.size()) {
    fail(importance.size(), " importances for ", weights.size(), " weights, expected one for each");
  }
  for (std::size_t i = 0; i < importance.size(); ++i) {
    if (!std::isfinite(importance[i]) || importance[i] < 0.0F) {
      fail("importance[",
           i,
           "] is ",
           importance[i],
           ", expected a finite value that is not negative");
    }
  }
  if (hints.start == nullptr) return;
  if (hints.start->layout != layout || hints.start->levels.size() != levels) {
    fail("a start of ",
         hints.start->layout.size(),
         " weights and ",
         hints.start->levels.size(),
         " levels, expected one of the same layout and ",
         levels,
         " levels");
  }
}

}  // namespace lastbit
