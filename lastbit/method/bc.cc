#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "lastbit/base/random.h"
#include "lastbit/base/vectorize.h"
#include "lastbit/method/demands.h"
#include "lastbit/method/registry.h"
#include "lastbit/method/straight_through.h"

namespace lastbit {
namespace {

LASTBIT_VECTORIZE void clip(float* __restrict v,
                            const float* __restrict bound,
                            std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float most = bound[i];
    const float low = v[i] < -most ? -most : v[i];
    v[i] = low > most ? most : low;
  }
}

// w = +h where 2 h u < v + h, u uniform in [0, 1): with probability (v/h + 1)/2, cut to [0, 1].
LASTBIT_VECTORIZE void draw(const float* __restrict v,
                            const float* __restrict bound,
                            const std::uint32_t* __restrict bits,
                            float* __restrict w,
                            std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float u = static_cast<float>(static_cast<std::int32_t>(bits[i] >> 8U)) * 0x1p-24F;
    w[i] = 2.0F * bound[i] * u < v[i] + bound[i] ? bound[i] : -bound[i];
  }
}

struct Options {
  bool stochastic = false;
  bool clip = true;
  std::uint64_t seed = 0;
};

// BinaryConnect (Courbariaux et al. 2015, section 2): the network sees
//
//     w = H sgn(v)                                          deterministic (1)
//     w = +H with probability clip((v/H + 1)/2, 0, 1)       stochastic (2), drawn anew in each pass
//
// v moves by the gradient at w, and is clipped to [-H, H] after each step. The paper's H is 1, that
// of a set without scale; else H is the scale of the reference's projection and stays. Deployed is
// H sgn(v) in both forms, and it stands for the weights outside of training.
class BinaryConnect final : public StraightThrough {
 public:
  explicit BinaryConnect(const Options& options) : options_(options), random_(options.seed) {}

  std::string_view name() const noexcept override { return "bc"; }

  void before_forward(const Progress& at, int pass) override {
    LatentMethod::before_forward(at, pass);
    if (!options_.stochastic) return;
    if (weights().value.is_cpu()) {
      draw_all(latent(), bound_, weights().value);
      return;
    }
    torch::Tensor host = torch::empty_like(weights().value, torch::kCPU);
    draw_all(latent().to(torch::kCPU), bound_.to(torch::kCPU), host);
    weights().value.copy_(host);
  }

  void after_step(const Progress& /*at*/) override {
    if (!options_.clip) return;
    torch::Tensor& v = weights().value;
    if (v.is_cpu()) {
      lastbit::clip(v.data_ptr<float>(), bound_.data_ptr<float>(), v.numel());
    } else {
      v.copy_(torch::minimum(torch::maximum(v, -bound_), bound_));
    }
  }

 private:
  void check(const ConstrainedWeight& layer) const override {
    if (!is_binary(layer)) refuse(name(), layer, "binary");
  }

  void start() override {
    StraightThrough::start();
    bound_ = seen({}).abs();
  }

  void draw_all(const torch::Tensor& latent, const torch::Tensor& bound, torch::Tensor& w) {
    constexpr std::int64_t kBlock = 1024;
    std::array<std::uint32_t, kBlock> bits{};
    for (std::int64_t begin = 0; begin < w.numel(); begin += kBlock) {
      const std::int64_t count = std::min(kBlock, w.numel() - begin);
      for (std::size_t i = 0; i < bits.size(); i += 2) {
        const std::uint64_t two = random_.next();
        bits[i] = static_cast<std::uint32_t>(two);
        bits[i + 1] = static_cast<std::uint32_t>(two >> 32U);
      }
      draw(latent.data_ptr<float>() + begin,
           bound.data_ptr<float>() + begin,
           bits.data(),
           w.data_ptr<float>() + begin,
           count);
    }
  }

  void save(std::map<std::string, torch::Tensor>& state) const override {
    StraightThrough::save(state);
    std::vector<std::int64_t> words;
    for (const std::uint64_t word : random_.state()) {
      words.push_back(std::bit_cast<std::int64_t>(word));
    }
    state["random"] = torch::tensor(words, torch::kInt64);
  }

  void restore(const std::map<std::string, torch::Tensor>& state) override {
    StraightThrough::restore(state);
    bound_ = seen({}).abs();
    const torch::Tensor words = state.at("random").to(torch::kCPU).contiguous();
    Random::State random{};
    for (std::size_t i = 0; i < random.size(); ++i) {
      random[i] = std::bit_cast<std::uint64_t>(words.data_ptr<std::int64_t>()[i]);
    }
    random_ = Random(random);
  }

  Options options_;
  Random random_;
  torch::Tensor bound_;  // (total) H
};

}  // namespace

MethodInfo bc_method() {
  return {
      .name = "bc",
      .summary = "BinaryConnect, deterministic or stochastic (Courbariaux et al. 2015)",
      .options = {{"stochastic", "false", "draw signs at random, by how far weights are from 0"},
                  {"clip", "true", "keep latent weights within the two levels"},
                  {"draw-seed", "0", "seed of the signs drawn"}},
      .paper = {{"optimizer", "adam"},
                {"learning-rate", "1e-3..3e-6"},
                {"batch", "100"},
                {"finish-epochs", "0"}},
      .make = [](const Settings& settings) -> std::unique_ptr<Method> {
        return std::make_unique<BinaryConnect>(Options{
            .stochastic = settings.flag("stochastic"),
            .clip = settings.flag("clip"),
            .seed =
                static_cast<std::uint64_t>(settings.count("draw-seed", 0, 9'007'199'254'740'992))});
      }};
}

}  // namespace lastbit
