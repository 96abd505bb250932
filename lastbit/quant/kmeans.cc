#include "lastbit/quant/kmeans.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lastbit/base/scratch.h"
#include "lastbit/base/text.h"
#include "lastbit/quant/clusters.h"
#include "lastbit/quant/groups.h"
#include "lastbit/quant/rounding.h"
#include "lastbit/quant/sort.h"

namespace lastbit {
namespace {

// Values of importance above 0, ascending.
struct Sorted {
  ScratchFloats first;
  ScratchFloats second;
  std::span<const float> values;
  std::span<const float> importance;  // empty: all equal
};

Sorted sort(const Group& group) {
  const std::size_t count = group.weights.size();
  Sorted sorted{scratch_floats(count), scratch_floats(count), {}, {}};
  if (group.importance.empty()) {
    std::copy(group.weights.begin(), group.weights.end(), sorted.first.get());
    constexpr std::size_t kMany = std::size_t{1} << 20U;
    const auto in_order = count < kMany ? sort_floats : sort_many_floats;
    sorted.values = in_order({sorted.first.get(), count}, {sorted.second.get(), count});
    return sorted;
  }
  std::vector<WeightedValue> pairs;
  for (std::size_t i = 0; i < count; ++i) {
    if (group.importance[i] > 0.0F) pairs.push_back({group.weights[i], group.importance[i]});
  }
  sort_weighted(pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    sorted.first[i] = pairs[i].value;
    sorted.second[i] = pairs[i].importance;
  }
  sorted.values = {sorted.first.get(), pairs.size()};
  sorted.importance = {sorted.second.get(), pairs.size()};
  return sorted;
}

// The distinct values, if there are at most `most`.
std::optional<std::vector<float>> few_values(std::span<const float> ascending, std::size_t most) {
  std::vector<float> distinct;
  for (const float value : ascending) {
    if (!distinct.empty() && distinct.back() == value) continue;
    if (distinct.size() == most) return std::nullopt;
    distinct.push_back(value + 0.0F);  // -0 becomes 0
  }
  return distinct;
}

// Where there are fewer values than levels, the levels that no weight needs are the floats that
// follow the largest one, or where floats end, those before the smallest one, or where they end
// there too, those that follow it.
std::vector<float> filled(std::vector<float> levels, std::size_t size) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  while (levels.size() < size) {
    const float above = std::nextafter(levels.back(), kInfinity);
    const float below = std::nextafter(levels.front(), -kInfinity);
    if (std::isfinite(above)) {
      levels.push_back(above);
    } else if (std::isfinite(below)) {
      levels.insert(levels.begin(), below);
    } else {
      // Before the first gap.
      const auto end = std::adjacent_find(levels.begin(), levels.end(), [](float a, float b) {
        return std::nextafter(a, kInfinity) < b;
      });
      levels.insert(end + 1, std::nextafter(*end, kInfinity));
    }
  }
  return levels;
}

// Means of the clusters. Each lies between the values of its own cluster, so they ascend.
std::vector<float> means(const Sorted& sorted, const Boundaries& boundaries) {
  std::vector<float> levels;
  std::size_t begin = 0;
  for (std::size_t k = 0; k <= boundaries.size(); ++k) {
    const std::size_t end = k < boundaries.size() ? boundaries[k] : sorted.values.size();
    const SortedSums cluster(sorted.values.subspan(begin, end - begin),
                             sorted.importance.empty()
                                 ? sorted.importance
                                 : sorted.importance.subspan(begin, end - begin));
    const Sums sums = cluster.first(end - begin);
    const auto mean = static_cast<float>(cluster.centre() + sums.value / sums.mass);
    levels.push_back(std::clamp(mean, sorted.values[begin], sorted.values[end - 1]));
    begin = end;
  }
  return levels;
}

class KMeans final : public Projector {
 public:
  explicit KMeans(int levels) : size_(levels), form_(cat("kmeans:", levels)) {}

  std::string name() const override { return form_ + "/none"; }
  const Codebook* levels() const noexcept override { return nullptr; }
  int size() const noexcept override { return size_; }
  Granularity granularity() const noexcept override { return Granularity::kNone; }

  Quantized project(std::span<const float> weights,
                    const ChannelLayout& layout,
                    const ProjectionHints& hints) const override {
    check_projection(form_, weights, layout, hints, size_);
    std::optional<Codebook> levels;
    double error = 0.0;
    const auto work = [&](const Group& group) {
      if (hints.start != nullptr) levels = lloyd(group, hints.start->levels);
      if (!levels) levels = fit(group);
      error = Rounding(*levels, 1.0F).round(group.weights, group.codes);
      return error;
    };
    // One group: all weights share the codebook.
    Quantized result{Codebook({0.0F, 1.0F}),
                     Granularity::kNone,
                     layout,
                     {1.0F},
                     std::vector<Code>(weights.size()),
                     0.0,
                     0};
    for_each_group(weights, hints.importance, work, result);
    result.levels = *std::move(levels);
    return result;
  }

 private:
  Codebook fit(const Group& group) const {
    const Sorted sorted = sort(group);
    const auto size = static_cast<std::size_t>(size_);
    if (auto distinct = few_values(sorted.values, size)) {
      return Codebook(filled(*std::move(distinct), size));
    }
    const SortedSums sums(sorted.values, sorted.importance);
    return Codebook(means(sorted, best_clusters(sums, size)));
  }

  // Lloyd's iteration from `start` until a round gains less than a millionth of the error. Nothing
  // if a level has lost all its weights: it would stay where it is for ever.
  std::optional<Codebook> lloyd(const Group& group, Codebook levels) const {
    constexpr double kLeastGain = 1e-6;
    const auto size = static_cast<std::size_t>(size_);
    double last = std::numeric_limits<double>::infinity();
    while (true) {
      Rounding(levels, 1.0F).round(group.weights, group.codes);
      std::vector<double> mass(size, 0.0);
      std::vector<double> shift(size, 0.0);
      double error = 0.0;
      for (std::size_t i = 0; i < group.weights.size(); ++i) {
        const Code code = group.codes[i];
        const double h = group.importance.empty() ? 1.0 : group.importance[i];
        const double gap = static_cast<double>(group.weights[i]) - levels[code];
        mass[code] += h;
        shift[code] += h * gap;
        error += h * gap * gap;
      }
      if (std::find(mass.begin(), mass.end(), 0.0) != mass.end()) return std::nullopt;
      std::vector<float> next;
      for (std::size_t k = 0; k < size; ++k) {
        next.push_back(static_cast<float>(levels.levels()[k] + shift[k] / mass[k]));
      }
      // Rounding may bring neighbours together.
      if (std::adjacent_find(next.begin(), next.end(), std::greater_equal<>()) != next.end()) {
        return std::nullopt;
      }
      levels = Codebook(std::move(next));
      if (!(error < last * (1.0 - kLeastGain))) return levels;
      last = error;
    }
  }

  int size_;
  std::string form_;
};

}  // namespace

std::shared_ptr<const Projector> make_kmeans(int levels) {
  return std::make_shared<KMeans>(levels);
}

}  // namespace lastbit
