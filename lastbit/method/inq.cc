#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/base/vectorize.h"
#include "lastbit/method/demands.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/straight_through.h"

namespace lastbit {
namespace {

// `frozen` is NaN where a weight is free.
LASTBIT_VECTORIZE void return_frozen(float* __restrict value,
                                     const float* __restrict frozen,
                                     std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) value[i] = frozen[i] == frozen[i] ? frozen[i] : value[i];
}

LASTBIT_VECTORIZE void stop_frozen(float* __restrict gradient,
                                   const float* __restrict frozen,
                                   std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    gradient[i] = frozen[i] == frozen[i] ? 0.0F : gradient[i];
}

struct Options {
  std::vector<double> shares;
  bool best_scale = false;
};

// Incremental network quantization (Zhou et al. 2017): in each layer the largest weights go to
// their nearest levels and stay there, the others are trained on, and so forth with growing shares
// until none is left. The first share is frozen at the start, the last at the end, the others at
// equal distances between. The levels are powers of two, the largest of which is
//
//     2^n,   n = floor(log2(4 max |w| / 3))                                            (3)
//
// of the reference: the scale is such that the set's largest level becomes that one, and stays. So
// pow2:C is the paper's set with n2 = n1 - C, and shift:N that with n2 = n1 - N. A set without
// scale is taken as it is. On request the scale is that of the reference's projection, with any
// levels.
class Incremental final : public StraightThrough {
 public:
  explicit Incremental(Options options) : options_(std::move(options)) {}

  std::string_view name() const noexcept override { return "inq"; }

  void before_forward(const Progress& at, int pass) override {
    advance(at);
    LatentMethod::before_forward(at, pass);
  }

  // Whatever its momentum, the optimizer does not move frozen weights.
  void after_step(const Progress& at) override {
    torch::Tensor& w = weights().value;
    if (w.is_cpu()) {
      return_frozen(w.data_ptr<float>(), frozen_.data_ptr<float>(), w.numel());
    } else {
      w.copy_(torch::where(frozen_.isnan(), w, frozen_));
    }
    advance(at);
  }

 private:
  void check(const ConstrainedWeight& layer) const override {
    if (!options_.best_scale && !has_powers_of_two(layer)) {
      refuse(name(), layer, "powers of two, or --scale-rule best");
    }
    require_own_scale(name(), layer);
  }

  static bool has_powers_of_two(const ConstrainedWeight& layer) {
    const auto levels = levels_of(layer);
    return !levels.empty() && std::all_of(levels.begin(), levels.end(), [&](float level) {
      int exponent = 0;
      return level == 0.0F || std::frexp(std::abs(level / levels.back()), &exponent) == 0.5F;
    });
  }

  void start() override {
    StraightThrough::start();
    frozen_ = torch::full_like(weights().value, std::numeric_limits<float>::quiet_NaN());
  }

  void prepare(std::size_t /*i*/, LayerRounding& rounding) override {
    if (options_.best_scale || rounding.per == Granularity::kNone) return;
    const auto largest =
        largest_magnitudes(std::span(&rounding.stairs.groups, 1), weights().value).front();
    for (std::size_t g = 0; g < largest.size(); ++g) {
      const double power = std::floor(std::log2(4.0 / 3.0 * largest[g]));
      rounding.scales[g] = static_cast<float>(std::exp2(power) / rounding.levels.back());
    }
  }

  // The network sees the weights as they are.
  void map(const Progress& /*at*/,
           const torch::Tensor& latent,
           torch::Tensor& seen) const override {
    seen.copy_(latent);
  }

  void chain(const Progress& /*at*/,
             const torch::Tensor& /*latent*/,
             torch::Tensor& gradient) override {
    if (gradient.is_cpu()) {
      stop_frozen(gradient.data_ptr<float>(), frozen_.data_ptr<float>(), gradient.numel());
    } else {
      gradient.mul_(frozen_.isnan());
    }
  }

  void advance(const Progress& at) {
    const double last = std::max(1.0, static_cast<double>(options_.shares.size()) - 1.0);
    while (done_ < options_.shares.size() && at.fraction() * last >= static_cast<double>(done_)) {
      for (std::size_t i = 0; i < layers(); ++i) freeze(i, options_.shares[done_]);
      ++done_;
    }
  }

  // Freezes the largest of the free weights until `share` of the layer is frozen.
  void freeze(std::size_t i, double share) {
    LayerRounding& own = rounding(i);
    fit_nearest(own.stairs, own.levels, own.scales);
    torch::Tensor rounded = torch::empty_like(weights().value);
    apply(own.stairs, weights().value, rounded);
    const auto slice = [&](const torch::Tensor& flat) {
      return flat.narrow(0, layer(i).offset, layer(i).layout.size()).to(torch::kCPU).contiguous();
    };
    torch::Tensor host = slice(frozen_).clone();
    const torch::Tensor value = slice(weights().value);
    const torch::Tensor levels = slice(rounded);
    float* frozen = host.data_ptr<float>();
    const float* w = value.data_ptr<float>();

    const auto size = static_cast<std::size_t>(host.numel());
    std::vector<std::size_t> free;
    for (std::size_t k = 0; k < size; ++k) {
      if (std::isnan(frozen[k])) free.push_back(k);
    }
    const auto wanted = static_cast<std::size_t>(std::llround(share * static_cast<double>(size)));
    const std::size_t before = size - free.size();
    const std::size_t count = wanted > before ? wanted - before : 0;
    // Equal weights are frozen in their order, so that the outcome does not depend on the library.
    const auto larger = [&](std::size_t a, std::size_t b) {
      return std::pair(-std::abs(w[a]), a) < std::pair(-std::abs(w[b]), b);
    };
    std::nth_element(
        free.begin(), free.begin() + static_cast<std::ptrdiff_t>(count), free.end(), larger);
    for (std::size_t k = 0; k < count; ++k) {
      frozen[free[k]] = levels.data_ptr<float>()[free[k]];
    }
    frozen_.narrow(0, layer(i).offset, layer(i).layout.size()).copy_(host);
    torch::Tensor own_value = weights().value.narrow(0, layer(i).offset, layer(i).layout.size());
    own_value.copy_(torch::where(host.isnan(), value, host));
  }

  void save(std::map<std::string, torch::Tensor>& state) const override {
    StraightThrough::save(state);
    state["frozen"] = frozen_.clone();
    state["shares"] = torch::tensor(static_cast<std::int64_t>(done_));
  }

  void restore(const std::map<std::string, torch::Tensor>& state) override {
    StraightThrough::restore(state);
    frozen_.copy_(state.at("frozen"));
    done_ = static_cast<std::size_t>(state.at("shares").item<std::int64_t>());
  }

  Options options_;
  torch::Tensor frozen_;  // (total) NaN where a weight is free
  std::size_t done_ = 0;  // shares frozen
};

// "0.5,0.75,1"
std::vector<double> parse_shares(const std::string& text) {
  std::vector<double> shares;
  const char* at = text.data();
  const char* end = at + text.size();
  bool good = true;
  while (good) {
    double share = 0.0;
    const auto [rest, error] = std::from_chars(at, end, share);
    const double least = shares.empty() ? 0.0 : shares.back();
    good = error == std::errc{} && share > least && share <= 1.0;
    if (good) shares.push_back(share);
    if (rest == end) break;
    good = good && *rest == ',';
    at = rest + 1;
  }
  if (good && shares.back() == 1.0) return shares;
  throw InputError(cat("[inq --shares] '",
                       text,
                       "', expected growing numbers above 0 of which the last is 1, as "
                       "0.5,0.75,0.875,1"));
}

}  // namespace

MethodInfo inq_method() {
  return {
      .name = "inq",
      .summary = "incremental network quantization, largest weights first (Zhou et al. 2017)",
      .options = {{"shares",
                   "0.5,0.75,0.875,1",
                   "of the weights that are frozen, from the start of the run to its end"},
                  {"scale-rule",
                   "power",
                   "power: a power of two from the largest weight, as in the paper; best: that "
                   "of the nearest point"}},
      .paper = {{"shares", "0.5,0.75,0.875,1"}, {"scale-rule", "power"}, {"finish-epochs", "0"}},
      .make = [](const Settings& settings) -> std::unique_ptr<Method> {
        return std::make_unique<Incremental>(
            Options{.shares = parse_shares(settings.text("shares")),
                    .best_scale = settings.choice("scale-rule", {"power", "best"}) == "best"});
      }};
}

}  // namespace lastbit
