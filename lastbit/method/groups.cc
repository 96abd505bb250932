#include "lastbit/method/groups.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/base/vectorize.h"
#include "lastbit/method/sent.h"

namespace lastbit {
namespace {

// Sums go to fixed lanes, so that they are the same for every width of vector.
constexpr std::int64_t kLanes = 16;
constexpr std::int64_t kBlock = 1024;  // floats are summed this far before they go into doubles

using Lanes = std::array<float, kLanes>;

struct Total {
  double sum = 0.0;
  double count = 0.0;
};

double total_of(const Lanes& lanes) {
  double result = 0.0;
  for (const float lane : lanes) result += lane;
  return result;
}

// Magnitudes above `least`: their sum, and after it their count.
LASTBIT_VECTORIZE void add_above(const float* __restrict w,
                                 std::int64_t rows,
                                 float least,
                                 float* __restrict sums,
                                 float* __restrict counts) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const float magnitude = std::abs(w[row * kLanes + lane]);
      const float above = magnitude > least ? 1.0F : 0.0F;
      sums[lane] += magnitude * above;
      counts[lane] += above;
    }
  }
}

LASTBIT_VECTORIZE void add_all(const float* __restrict w, std::int64_t count, float* sums) {
  for (std::int64_t i = 0; i + kLanes <= count; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += w[i + lane];
  }
  for (std::int64_t i = count - count % kLanes; i < count; ++i) sums[0] += w[i];
}

LASTBIT_VECTORIZE void raise_to_largest(const float* __restrict w,
                                        std::int64_t count,
                                        float* largest) {
  for (std::int64_t i = 0; i + kLanes <= count; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const float magnitude = std::abs(w[i + lane]);
      largest[lane] = magnitude > largest[lane] ? magnitude : largest[lane];
    }
  }
  for (std::int64_t i = count - count % kLanes; i < count; ++i) {
    largest[0] = std::max(largest[0], std::abs(w[i]));
  }
}

// Whether the groups lie in runs of memory on the CPU that are worth a loop each.
bool in_runs(const Groups& groups, const torch::Tensor& flat) {
  return flat.is_cpu() && (groups.layout.after > 1 || groups.layout.before == 1);
}

// Calls visit(group, begin, count) on blocks of weights of one group.
template <typename Visit>
void for_each_block(const Groups& groups, const torch::Tensor& flat, const Visit& visit) {
  const float* w = flat.data_ptr<float>() + groups.offset;
  for (std::int64_t b = 0; b < groups.layout.before; ++b) {
    for (std::int64_t group = 0; group < groups.count(); ++group) {
      for (std::int64_t begin = 0; begin < groups.layout.after; begin += kBlock) {
        visit(static_cast<std::size_t>(group),
              w + begin,
              std::min(kBlock, groups.layout.after - begin));
      }
      w += groups.layout.after;
    }
  }
}

// Of each layer by `here`, or where its groups are not in runs by `there` as a tensor (groups);
// these are read in one go.
template <typename Number, typename Here, typename There>
GroupFigures<Number> of_layers(std::span<const Groups> layers,
                               const torch::Tensor& flat,
                               const Here& here,
                               const There& there) {
  GroupFigures<Number> result;
  std::vector<torch::Tensor> tensors;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const bool runs = in_runs(layers[i], flat);
    result.push_back(runs ? here(i) : std::vector<Number>{});
    if (!runs) tensors.push_back(there(i));
  }
  if (tensors.empty()) return result;
  const torch::Tensor all = torch::cat(tensors).to(torch::kCPU);
  const Number* next = all.template data_ptr<Number>();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (in_runs(layers[i], flat)) continue;
    result[i].assign(next, next + layers[i].count());
    next += layers[i].count();
  }
  return result;
}

std::vector<double> means_in_runs(const Groups& groups,
                                  const torch::Tensor& flat,
                                  std::span<const float> thresholds) {
  std::vector<Total> totals(static_cast<std::size_t>(groups.count()));
  for_each_block(groups, flat, [&](std::size_t group, const float* block, std::int64_t block_size) {
    Lanes sums{};
    Lanes counts{};
    const float least = thresholds.empty() ? -1.0F : thresholds[group];
    add_above(block, block_size / kLanes, least, sums.data(), counts.data());
    for (std::int64_t i = block_size - block_size % kLanes; i < block_size; ++i) {
      const float magnitude = std::abs(block[i]);
      sums[0] += magnitude > least ? magnitude : 0.0F;
      counts[0] += magnitude > least ? 1.0F : 0.0F;
    }
    totals[group].sum += total_of(sums);
    totals[group].count += total_of(counts);
  });
  std::vector<double> result;
  result.reserve(totals.size());
  for (const Total& total : totals) result.push_back(total.sum / std::max(1.0, total.count));
  return result;
}

torch::Tensor means_by_tensors(const Groups& groups,
                               const torch::Tensor& flat,
                               std::span<const float> thresholds) {
  const torch::Tensor magnitudes = grouped(groups, flat).abs();
  if (thresholds.empty()) return sum_in_groups(magnitudes) / groups.size();
  const torch::Tensor above = magnitudes > sent_to(flat.device(), thresholds).view({1, -1, 1});
  return sum_in_groups(magnitudes * above) / sum_in_groups(above).clamp_min(1.0);
}

std::vector<float> largest_in_runs(const Groups& groups, const torch::Tensor& flat) {
  std::vector<float> result(static_cast<std::size_t>(groups.count()), 0.0F);
  for_each_block(groups, flat, [&](std::size_t group, const float* block, std::int64_t block_size) {
    Lanes largest{};
    raise_to_largest(block, block_size, largest.data());
    result[group] = std::max(result[group], *std::max_element(largest.begin(), largest.end()));
  });
  return result;
}

std::vector<double> sums_in_runs(const Groups& groups, const torch::Tensor& flat) {
  std::vector<double> result(static_cast<std::size_t>(groups.count()), 0.0);
  for_each_block(groups, flat, [&](std::size_t group, const float* block, std::int64_t block_size) {
    Lanes sums{};
    add_all(block, block_size, sums.data());
    result[group] += total_of(sums);
  });
  return result;
}

}  // namespace

bool has_even_groups(const ConstrainedWeight& layer, const Quantized& fitted) {
  return fitted.per != Granularity::kGroup ||
         (layer.layout.before == 1 && layer.layout.after % fitted.group == 0);
}

Groups groups_of(const ConstrainedWeight& layer, const Quantized& fitted) {
  const ChannelLayout& layout = layer.layout;
  switch (fitted.per) {
    case Granularity::kNone:
    case Granularity::kTensor:
      break;
    case Granularity::kChannel:
      return {layer.offset, layout};
    case Granularity::kGroup:
      if (!has_even_groups(layer, fitted)) {
        throw InputError(cat("[method] layer '",
                             layer.name,
                             "' has codebook ",
                             layer.set->name(),
                             " and channels of ",
                             layout.before,
                             " x ",
                             layout.after,
                             " weights; a method that rounds in each step expects one run of "
                             "memory, a multiple of the group"));
      }
      return {layer.offset, {1, layout.size() / fitted.group, fitted.group}};
  }
  return {layer.offset, {1, 1, layout.size()}};
}

torch::Tensor grouped(const Groups& groups, const torch::Tensor& flat) {
  const ChannelLayout& layout = groups.layout;
  return flat.narrow(0, groups.offset, layout.size())
      .view({layout.before, layout.channels, layout.after});
}

torch::Tensor sum_in_groups(const torch::Tensor& by_group) {
  constexpr std::array<std::int64_t, 2> kDims = {0, 2};
  return by_group.sum(at::IntArrayRef(kDims), false, torch::kFloat64);
}

GroupFigures<double> mean_magnitudes(std::span<const Groups> layers,
                                     const torch::Tensor& flat,
                                     std::span<const std::vector<float>> thresholds) {
  const auto least = [&](std::size_t i) {
    return thresholds.empty() ? std::span<const float>() : std::span<const float>(thresholds[i]);
  };
  return of_layers<double>(
      layers,
      flat,
      [&](std::size_t i) { return means_in_runs(layers[i], flat, least(i)); },
      [&](std::size_t i) { return means_by_tensors(layers[i], flat, least(i)); });
}

GroupFigures<float> largest_magnitudes(std::span<const Groups> layers, const torch::Tensor& flat) {
  return of_layers<float>(
      layers,
      flat,
      [&](std::size_t i) { return largest_in_runs(layers[i], flat); },
      [&](std::size_t i) {
        return grouped(layers[i], flat).abs().amax({0, 2});
      });
}

GroupFigures<double> group_sums(std::span<const Groups> layers, const torch::Tensor& flat) {
  return of_layers<double>(
      layers,
      flat,
      [&](std::size_t i) { return sums_in_runs(layers[i], flat); },
      [&](std::size_t i) { return sum_in_groups(grouped(layers[i], flat)); });
}

}  // namespace lastbit
