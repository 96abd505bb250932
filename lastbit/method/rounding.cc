#include "lastbit/method/rounding.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "lastbit/base/vectorize.h"
#include "lastbit/method/sent.h"
#include "lastbit/quant/rounding.h"

namespace lastbit {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

LASTBIT_VECTORIZE void one_step(const float* __restrict w,
                                float* __restrict out,
                                std::int64_t count,
                                float least,
                                float low,
                                float high) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = w[i] >= least ? high : low;
}

LASTBIT_VECTORIZE void two_steps(const float* __restrict w,
                                 float* __restrict out,
                                 std::int64_t count,
                                 float least,
                                 float least_high,
                                 float low,
                                 float middle,
                                 float high) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float lower = w[i] >= least ? middle : low;
    out[i] = w[i] >= least_high ? high : lower;
  }
}

LASTBIT_VECTORIZE void one_more_step(
    const float* __restrict w, float* __restrict out, std::int64_t count, float least, float high) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = w[i] >= least ? high : out[i];
}

// A threshold and a value for each weight of a row.
LASTBIT_VECTORIZE void one_more_step_each(const float* __restrict w,
                                          float* __restrict out,
                                          std::int64_t count,
                                          const float* __restrict least,
                                          const float* __restrict high) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = w[i] >= least[i] ? high[i] : out[i];
}

// A run of weights of one group.
void apply_run(
    const Staircase& stairs, std::size_t group, const float* w, float* out, std::int64_t count) {
  const std::size_t steps = stairs.steps();
  const auto stride = static_cast<std::size_t>(stairs.groups.count());
  const float* least = stairs.thresholds.data() + group;
  const float* value = stairs.values.data() + group;
  if (steps == 1) {
    one_step(w, out, count, least[0], value[0], value[stride]);
    return;
  }
  if (steps == 2) {
    two_steps(w, out, count, least[0], least[stride], value[0], value[stride], value[2 * stride]);
    return;
  }
  constexpr std::int64_t kBlock = 1024;  // stays in the nearest cache from step to step
  for (std::int64_t begin = 0; begin < count; begin += kBlock) {
    const std::int64_t size = std::min(kBlock, count - begin);
    std::fill_n(out + begin, size, value[0]);
    for (std::size_t k = 0; k < steps; ++k) {
      one_more_step(w + begin, out + begin, size, least[k * stride], value[(k + 1) * stride]);
    }
  }
}

// A row whose weights are of the groups 0, 1, 2, ...
void apply_row(const Staircase& stairs, const float* w, float* out) {
  const std::int64_t groups = stairs.groups.count();
  const auto stride = static_cast<std::size_t>(groups);
  const float* least = stairs.thresholds.data();
  const float* value = stairs.values.data();
  std::copy_n(value, groups, out);
  for (std::size_t k = 0; k < stairs.steps(); ++k) {
    one_more_step_each(w, out, groups, least + k * stride, value + (k + 1) * stride);
  }
}

}  // namespace

Staircase::Staircase(const Groups& where, std::size_t steps)
    : groups(where),
      thresholds(steps * static_cast<std::size_t>(where.count()), 0.0F),
      values((steps + 1) * static_cast<std::size_t>(where.count()), 0.0F) {}

void fit_nearest(Staircase& stairs, std::span<const float> levels, std::span<const float> scales) {
  const auto groups = static_cast<std::size_t>(stairs.groups.count());
  for (std::size_t group = 0; group < groups; ++group) {
    const float scale = scales[scales.size() == 1 ? 0 : group];
    for (std::size_t k = 0; k < levels.size(); ++k) stairs.value(k, group) = levels[k] * scale;
    for (std::size_t k = 0; k + 1 < levels.size(); ++k) {
      if (scale > 0.0F) {
        stairs.threshold(k, group) = rounding_threshold(levels[k], levels[k + 1], scale);
        continue;
      }
      // Without a scale all levels are zero, and the smallest stands for them.
      const double sum = static_cast<double>(levels[k]) + levels[k + 1];
      const bool tie_goes_up = std::abs(levels[k + 1]) >= std::abs(levels[k]);
      const bool below_smallest = tie_goes_up ? sum <= 0.0 : sum < 0.0;
      stairs.threshold(k, group) = below_smallest ? -kInfinity : kInfinity;
    }
  }
}

Staircase nearest(const ConstrainedWeight& layer, const Quantized& fitted) {
  Staircase stairs(groups_of(layer, fitted), static_cast<std::size_t>(fitted.levels.size()) - 1);
  fit_nearest(stairs, fitted.levels.levels(), fitted.scales);
  return stairs;
}

std::vector<Staircase> nearest(const std::vector<ConstrainedWeight>& layers,
                               const std::vector<Quantized>& fitted) {
  std::vector<Staircase> result;
  for (std::size_t i = 0; i < layers.size(); ++i) result.push_back(nearest(layers[i], fitted[i]));
  return result;
}

void apply(const Staircase& stairs, const torch::Tensor& from, torch::Tensor& to) {
  if (!from.is_cpu()) {
    apply_by_tensors(stairs, from, to);
    return;
  }
  const ChannelLayout& layout = stairs.groups.layout;
  const float* w = from.data_ptr<float>() + stairs.groups.offset;
  float* out = to.data_ptr<float>() + stairs.groups.offset;
  if (layout.after == 1) {
    for (std::int64_t b = 0; b < layout.before; ++b) {
      apply_row(stairs, w + b * layout.channels, out + b * layout.channels);
    }
    return;
  }
  for (std::int64_t b = 0; b < layout.before; ++b) {
    for (std::int64_t group = 0; group < layout.channels; ++group) {
      apply_run(stairs, static_cast<std::size_t>(group), w, out, layout.after);
      w += layout.after;
      out += layout.after;
    }
  }
}

void apply(const std::vector<Staircase>& stairs, const torch::Tensor& from, torch::Tensor& to) {
  for (const Staircase& one : stairs) apply(one, from, to);
}

void apply_by_tensors(const Staircase& stairs, const torch::Tensor& from, torch::Tensor& to) {
  const torch::Tensor w = grouped(stairs.groups, from);
  torch::Tensor out = grouped(stairs.groups, to);
  std::vector<float> both = stairs.thresholds;
  both.insert(both.end(), stairs.values.begin(), stairs.values.end());
  const torch::Tensor rows = sent_to(from.device(), both).view({-1, 1, stairs.groups.count(), 1});
  const auto steps = static_cast<std::int64_t>(stairs.steps());
  const torch::Tensor least = rows.narrow(0, 0, steps);
  const torch::Tensor value = rows.narrow(0, steps, steps + 1);
  torch::Tensor result = value[0].expand_as(w);
  for (std::int64_t k = 0; k < steps; ++k) {
    result = torch::where(w >= least[k], value[k + 1], result);
  }
  out.copy_(result);
}

std::vector<Code> codes(const Staircase& stairs, const torch::Tensor& flat) {
  // Among the staircases with these thresholds, the one that counts them.
  Staircase counting = stairs;
  const auto groups = static_cast<std::size_t>(stairs.groups.count());
  for (std::size_t i = 0; i < counting.values.size(); ++i) {
    const std::size_t passed = i / groups;
    counting.values[i] = static_cast<float>(passed);
  }
  const std::int64_t size = stairs.groups.layout.size();
  const torch::Tensor own = flat.narrow(0, stairs.groups.offset, size).to(torch::kCPU).contiguous();
  counting.groups.offset = 0;
  torch::Tensor counts = torch::empty_like(own);
  apply(counting, own, counts);
  const float* first = counts.data_ptr<float>();
  return {first, first + size};
}

double squared_error(const ConstrainedWeight& layer,
                     const Quantized& quantized,
                     const torch::Tensor& flat) {
  const torch::Tensor own =
      flat.narrow(0, layer.offset, layer.layout.size()).to(torch::kCPU).contiguous();
  std::vector<float> decoded(quantized.codes.size());
  decode(quantized, decoded);
  const float* w = own.data_ptr<float>();
  double sum = 0.0;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const double error = static_cast<double>(w[i]) - decoded[i];
    sum += error * error;
  }
  return sum;
}

}  // namespace lastbit
