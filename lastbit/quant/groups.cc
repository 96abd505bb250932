#include "lastbit/quant/groups.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/base/threads.h"
#include "lastbit/base/vectorize.h"

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
                    std::span<double> errors) {
  for (std::size_t begin = 0; begin < weights.size(); begin += run) {
    const std::size_t count = std::min(run, weights.size() - begin);
    const auto part = importance.empty() ? importance : importance.subspan(begin, count);
    errors[first_index] = work({.index = first_index,
                                .weights = weights.subspan(begin, count),
                                .importance = usable(part),
                                .codes = codes.subspan(begin, count)});
    ++first_index;
  }
}

// Below this many weights, starting a thread takes longer than it saves.
constexpr std::size_t kManyWeights = std::size_t{1} << 17U;

int threads_for(std::size_t weights) {
  return weights < kManyWeights ? 1 : std::min(2, usable_processors());
}

// Without an early end, the loop is vector code.
LASTBIT_VECTORIZE int count_not_finite(const float* values, std::size_t count) {
  int bad = 0;
  for (std::size_t i = 0; i < count; ++i) {
    bad += std::abs(values[i]) <= std::numeric_limits<float>::max() ? 0 : 1;
  }
  return bad;
}

bool all_finite(std::span<const float> values) {
  std::array<int, 2> bad{};
  const int parts = threads_for(values.size());
  const std::size_t half = values.size() / 2;
  parallel_for(2, parts, [&](std::size_t begin, std::size_t end) {
    if (begin == 0) bad[0] = count_not_finite(values.data(), half);
    if (end == 2) bad[1] = count_not_finite(&values[half], values.size() - half);
  });
  return bad[0] == 0 && bad[1] == 0;
}

}  // namespace

void for_each_group(std::span<const float> weights,
                    std::span<const float> importance,
                    const std::function<double(const Group&)>& work,
                    Quantized& result,
                    std::size_t alone) {
  const std::span<Code> codes(result.codes);
  // Summed in the order of the groups, whatever thread they were on.
  std::vector<double> errors(result.scales.size());
  if (result.per == Granularity::kNone || result.per == Granularity::kTensor) {
    channel_groups(weights, importance, codes, weights.size(), 0, work, errors);
    result.squared_error = errors[0];
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
  const auto some_channels = [&](std::size_t begin_channel, std::size_t end_channel) {
    // Copies of one channel, where its weights do not lie side by side.
    std::vector<float> own_weights(before > 1 ? in_channel : 0);
    std::vector<float> own_importance(before > 1 && !importance.empty() ? in_channel : 0);
    std::vector<Code> own_codes(before > 1 ? in_channel : 0);
    for (std::size_t channel = begin_channel; channel < end_channel; ++channel) {
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
                       errors);
        continue;
      }
      const auto gather = [&](std::span<const float> from, std::vector<float>& to) {
        for (std::size_t b = 0; b < before && !to.empty(); ++b) {
          std::copy_n(&from[(b * channels + channel) * after], after, &to[b * after]);
        }
      };
      gather(weights, own_weights);
      gather(importance, own_importance);
      channel_groups(own_weights, own_importance, own_codes, run, first, work, errors);
      for (std::size_t b = 0; b < before; ++b) {
        std::copy_n(&own_codes[b * after], after, &codes[(b * channels + channel) * after]);
      }
    }
  };
  some_channels(0, alone);
  parallel_for(
      channels - alone, threads_for(weights.size()), [&](std::size_t begin, std::size_t end) {
        some_channels(alone + begin, alone + end);
      });
  result.squared_error = std::accumulate(errors.begin(), errors.end(), 0.0);
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
