#include "lastbit/method/device_fit.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "lastbit/method/sent.h"
#include "lastbit/quant/scale_fit.h"

namespace lastbit::device {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The steps between levels of weights of one sign; see scale_fit.cc.
struct Steps {
  double lowest;  // the level nearest to zero
  std::vector<double> per_weight;
  std::vector<double> rise;
  std::vector<double> rise_of_square;

  // Steps that no weight takes are added up to `count`.
  Steps(const std::vector<float>& levels, std::size_t count)
      : lowest(levels.front()), per_weight(count), rise(count), rise_of_square(count) {
    for (std::size_t i = 1; i < levels.size(); ++i) {
      const double low = levels[i - 1];
      const double high = levels[i];
      per_weight[i - 1] = 2.0 / (low + high);
      rise[i - 1] = high - low;
      rise_of_square[i - 1] = high * high - low * low;
    }
  }
};

// The fits met while the scale of each row falls, one after each step; see `Fit` of quant.
struct Fits {
  torch::Tensor s1;  // (rows, steps + 1) float64
  torch::Tensor s2;
};

double largest_magnitude(const Codebook& levels) {
  const auto all = levels.levels();
  return std::max(std::abs(static_cast<double>(all.front())),
                  std::abs(static_cast<double>(all.back())));
}

// What each step adds to the fit, after what all weights at their lowest levels start it with.
Fits additions(const torch::Tensor& rows, const Codebook& levels) {
  const std::vector<float> up = rising_levels(levels, false);
  const std::vector<float> down = rising_levels(levels, true);
  const std::size_t count = std::max(up.size(), down.size()) - 1;
  const Steps above(up, count);
  const Steps below(down, count);
  const torch::Tensor magnitudes = rows.abs().to(torch::kFloat64).unsqueeze(2);
  // A number for each step of each weight, which depends on its sign unless both sides are one.
  const auto of_sign = [&](const std::vector<double>& a, const std::vector<double>& b) {
    const torch::Tensor first = sent_to(rows.device(), torch::tensor(a, torch::kFloat64));
    if (up == down) return first.view({1, 1, -1}).expand({rows.size(0), rows.size(1), -1});
    const torch::Tensor second = sent_to(rows.device(), torch::tensor(b, torch::kFloat64));
    return torch::where(rows.lt(0.0).unsqueeze(2), second, first);
  };
  const torch::Tensor lowest = of_sign({above.lowest}, {below.lowest});
  Fits fits{(magnitudes * lowest).sum({1, 2}).unsqueeze(1),
            lowest.square().sum({1, 2}).unsqueeze(1)};
  if (count == 0) return fits;
  const torch::Tensor events =
      (magnitudes * of_sign(above.per_weight, below.per_weight)).flatten(1);
  const torch::Tensor order = std::get<1>(torch::sort(events, /*stable=*/true, 1, true));
  const torch::Tensor rise = (magnitudes * of_sign(above.rise, below.rise)).flatten(1);
  // Zeros never step up.
  const torch::Tensor rise_of_square =
      (magnitudes.gt(0.0) * of_sign(above.rise_of_square, below.rise_of_square)).flatten(1);
  fits.s1 = torch::cat({fits.s1, rise.gather(1, order)}, 1);
  fits.s2 = torch::cat({fits.s2, rise_of_square.gather(1, order)}, 1);
  return fits;
}

// The least float of at least each middle between decoded levels, or above it, that goes to the
// level above: (rows, levels - 1). At scale 0 all weights go to the level nearest to zero.
torch::Tensor thresholds(const Codebook& levels,
                         const torch::Tensor& scales,
                         const torch::Tensor& decoded) {
  const std::int64_t steps = levels.size() - 1;
  const torch::Tensor values = decoded.to(torch::kFloat64);
  const torch::Tensor middles = 0.5 * (values.narrow(1, 0, steps) + values.narrow(1, 1, steps));
  std::vector<std::uint8_t> ups;
  std::vector<float> at_zero;
  const Code nearest_zero = levels.nearest(0.0F);
  for (std::size_t i = 1; i < levels.levels().size(); ++i) {
    ups.push_back(std::abs(levels.levels()[i]) >= std::abs(levels.levels()[i - 1]) ? 1 : 0);
    at_zero.push_back(static_cast<float>(i <= nearest_zero ? -kInfinity : kInfinity));
  }
  const torch::Tensor tie_goes_up =
      sent_to(scales.device(), torch::tensor(ups, torch::kUInt8)).to(torch::kBool);
  const torch::Tensor rounded = middles.to(torch::kFloat32);
  const torch::Tensor wide = rounded.to(torch::kFloat64);
  const torch::Tensor reached = wide.gt(middles) | (wide.eq(middles) & tie_goes_up);
  const torch::Tensor next =
      torch::nextafter(rounded, torch::full({}, static_cast<float>(kInfinity), rounded.options()));
  const torch::Tensor least = torch::where(reached, rounded, next);
  return torch::where(scales.eq(0.0).unsqueeze(1), sent_to(scales.device(), at_zero), least);
}

}  // namespace

torch::Tensor best_scales(const torch::Tensor& rows, const Codebook& levels) {
  const double limit = FLT_MAX / largest_magnitude(levels);
  const Fits steps = additions(rows, levels);
  const torch::Tensor s1 = steps.s1.cumsum(1);
  const torch::Tensor s2 = steps.s2.cumsum(1);
  const torch::Tensor free = s1 / s2;  // without the limit
  const torch::Tensor scales = free.clamp_max(limit);
  const torch::Tensor gains =
      torch::where(free.gt(limit), limit * (2.0 * s1 - limit * s2), s1 * s1 / s2);
  const torch::Tensor gains_above_zero = torch::where(s1.gt(0.0), gains, torch::zeros_like(gains));
  const torch::Tensor best = gains_above_zero.eq(gains_above_zero.amax(1, true)) & s1.gt(0.0);
  const torch::Tensor of_best = torch::where(best, scales, torch::zeros_like(scales));
  const torch::Tensor largest = of_best.amax(1, true);
  // Prefix sums on a device may be taken in another order each time; sums are not.
  const torch::Tensor place = torch::arange(s1.size(1), s1.options().dtype(torch::kInt64));
  const torch::Tensor last =
      torch::where(of_best.eq(largest), place, torch::full_like(place, s1.size(1))).amin(1, true);
  const torch::Tensor taken = place.le(last);
  const torch::Tensor exact =
      ((steps.s1 * taken).sum(1) / (steps.s2 * taken).sum(1)).clamp_max(limit);
  return torch::where(largest.squeeze(1).gt(0.0), exact, torch::zeros_like(exact))
      .to(torch::kFloat32);
}

Rounded round(const torch::Tensor& rows, const Codebook& levels, const torch::Tensor& scales) {
  const torch::Tensor decoded =
      sent_to(rows.device(), levels.levels()).unsqueeze(0) * scales.unsqueeze(1);
  const torch::Tensor least = thresholds(levels, scales, decoded);
  const torch::Tensor codes = torch::searchsorted(
      least.contiguous(), rows.contiguous(), /*out_int32=*/false, /*right=*/true);
  const torch::Tensor gaps = rows.to(torch::kFloat64) - decoded.gather(1, codes);
  return {codes.to(torch::kUInt8), gaps.square().sum()};
}

std::optional<Codebook> lloyd(const torch::Tensor& weights, const Codebook& start) {
  constexpr double kLeastGain = 1e-6;
  const torch::Tensor sorted = std::get<0>(torch::sort(weights));
  torch::Tensor values = sorted.to(torch::kFloat64);
  const torch::Tensor mean = values.mean();
  values = values - mean;
  const torch::Tensor zero = torch::zeros({1}, values.options());
  const torch::Tensor sums = torch::cat({zero, values.cumsum(0)});
  const torch::Tensor squares = torch::cat({zero, values.square().cumsum(0)});
  const torch::Tensor one = torch::ones({1}, weights.options());
  const auto centre = mean.item<double>();
  const auto size = static_cast<std::size_t>(start.size());
  Codebook levels = start;
  double last = kInfinity;
  while (true) {
    const torch::Tensor least =
        thresholds(levels, one, sent_to(weights.device(), levels.levels()).unsqueeze(0)).squeeze(0);
    const torch::Tensor cuts = torch::searchsorted(sorted, least.contiguous());
    // Of the weights before each cut: their number, sum and squares.
    const torch::Tensor before = torch::stack(
        {cuts.to(torch::kFloat64), sums.index_select(0, cuts), squares.index_select(0, cuts)}, 1);
    const torch::Tensor all =
        torch::stack({torch::full_like(sums[-1], static_cast<double>(weights.numel())),
                      sums[-1],
                      squares[-1]})
            .unsqueeze(0);
    const torch::Tensor host = torch::cat({before, all}).to(torch::kCPU).contiguous();
    const double* row = host.data_ptr<double>();
    std::vector<float> next;
    double error = 0.0;
    std::array<double, 3> left{};  // of the cluster
    for (std::size_t k = 0; k < size; ++k, row += 3) {
      const double mass = row[0] - left[0];
      const double sum = row[1] - left[1];
      const double square = row[2] - left[2];
      left = {row[0], row[1], row[2]};
      if (mass == 0.0) return std::nullopt;
      const double level = levels.levels()[k] - centre;
      error += square - level * (2.0 * sum - level * mass);
      next.push_back(static_cast<float>(centre + sum / mass));
    }
    if (std::adjacent_find(next.begin(), next.end(), std::greater_equal<>()) != next.end()) {
      return std::nullopt;
    }
    levels = Codebook(std::move(next));
    if (!(error < last * (1.0 - kLeastGain))) return levels;
    last = error;
  }
}

}  // namespace lastbit::device
