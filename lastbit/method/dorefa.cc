#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "lastbit/method/demands.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/sent.h"
#include "lastbit/method/straight_through.h"

namespace lastbit {
namespace {

// DoReFa's weights (Zhou et al. 2016, section 2.3). One bit: the network sees
//
//     w = sgn(v) mean |v|                                                            (7)
//
// and the gradient reaches v as it is. More levels, evenly from -1 to 1:
//
//     w = q(tanh v / max |tanh v|),   q rounds to the nearest level                  (9)
//
// and the gradient passes q as it is, then the tanh by the chain rule, the maximum taken as
// constant. The paper's levels have no scale; a set that has one gets the largest magnitude of the
// reference in place of 1, and keeps it, so that a trained network without norms can start from its
// weights. Means and maxima are those of each group that shares a scale, a layer in the paper.
class DoReFa final : public StraightThrough {
 public:
  std::string_view name() const noexcept override { return "dorefa"; }

 private:
  void check(const ConstrainedWeight& layer) const override {
    const auto levels = levels_of(layer);
    const bool centred = !levels.empty() && levels.front() == -levels.back();
    // With a level at 0 and the largest weight as the range, nearly all weights would become 0.
    if (!is_even(layer) || !centred || levels.size() % 2 != 0) {
      refuse(name(), layer, "binary or uniform:N");
    }
    if (is_binary(layer) && layer.set->granularity() == Granularity::kNone) {
      refuse(name(), layer, "binary with a scale");
    }
    require_own_scale(name(), layer);
  }

  void start() override {
    StraightThrough::start();
    if (!curved_.empty()) slopes_ = torch::empty_like(weights().value);
  }

  void prepare(std::size_t i, LayerRounding& rounding) override {
    (is_binary(layer(i)) ? binary_ : curved_).push_back(i);
    if (is_binary(layer(i)) || rounding.per == Granularity::kNone) return;
    const auto largest =
        largest_magnitudes(std::span(&rounding.stairs.groups, 1), weights().value).front();
    for (std::size_t g = 0; g < largest.size(); ++g) {
      rounding.scales[g] = largest[g] / rounding.levels.back();
    }
  }

  void fit(const torch::Tensor& latent, std::vector<LayerRounding>& roundings) const override {
    const auto means = mean_magnitudes(groups_of(binary_), latent);
    for (std::size_t k = 0; k < binary_.size(); ++k) {
      LayerRounding& own = roundings[binary_[k]];
      own.scales.assign(means[k].begin(), means[k].end());
      fit_nearest(own.stairs, own.levels, own.scales);
    }
    const auto largest = largest_magnitudes(groups_of(curved_), latent);
    for (std::size_t k = 0; k < curved_.size(); ++k) {
      fit_tanh(largest[k], roundings[curved_[k]]);
    }
  }

  std::vector<Groups> groups_of(const std::vector<std::size_t>& some) const {
    const std::vector<Groups> all = groups();
    std::vector<Groups> result;
    result.reserve(some.size());
    for (const std::size_t i : some) result.push_back(all[i]);
    return result;
  }

  // q jumps where tanh v is half way between two levels: the tanh of no weight is needed.
  static void fit_tanh(const std::vector<float>& largest, LayerRounding& rounding) {
    Staircase& stairs = rounding.stairs;
    const std::vector<float>& levels = rounding.levels;
    for (std::size_t g = 0; g < largest.size(); ++g) {
      const double most = std::tanh(static_cast<double>(largest[g])) / levels.back();
      for (std::size_t k = 0; k < levels.size(); ++k) {
        stairs.value(k, g) = levels[k] * rounding.scales[rounding.scales.size() == 1 ? 0 : g];
        if (k + 1 == levels.size()) break;
        const double middle = 0.5 * (static_cast<double>(levels[k]) + levels[k + 1]);
        stairs.threshold(k, g) = static_cast<float>(std::atanh(most * middle));
      }
    }
  }

  void chain(const Progress& /*at*/,
             const torch::Tensor& latent,
             torch::Tensor& gradient) override {
    if (!slopes_.defined()) return;
    torch::tanh_out(slopes_, latent);
    slopes_.square_().neg_().add_(1.0);
    for (const std::size_t i : binary_) grouped(rounding(i).stairs.groups, slopes_).fill_(1.0);
    auto factors = largest_magnitudes(groups_of(curved_), latent);
    for (std::size_t k = 0; k < curved_.size(); ++k) {
      const LayerRounding& own = rounding(curved_[k]);
      for (std::size_t g = 0; g < factors[k].size(); ++g) {
        float& factor = factors[k][g];
        const float most = std::tanh(factor);
        const float reach = own.levels.back() * own.scales[own.scales.size() == 1 ? 0 : g];
        factor = most > 0.0F ? reach / most : 0.0F;
      }
      grouped(own.stairs.groups, slopes_)
          .mul_(sent_to(slopes_.device(), factors[k]).view({1, -1, 1}));
    }
    gradient.mul_(slopes_);
  }

  std::vector<std::size_t> binary_;  // places of layers of one bit
  std::vector<std::size_t> curved_;  // and of those that go through tanh
  torch::Tensor slopes_;             // (total) scratch: dw/dv; none where all are binary
};

}  // namespace

MethodInfo dorefa_method() {
  return {.name = "dorefa",
          .summary = "DoReFa-Net's weights, by tanh and rounding (Zhou et al. 2016)",
          .make = [](const Settings& /*settings*/) -> std::unique_ptr<Method> {
            return std::make_unique<DoReFa>();
          }};
}

}  // namespace lastbit
