#include "lastbit/train/optimizer.h"

#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/base/vectorize.h"
#include "lastbit/train/tensor_steps.h"

namespace lastbit {
namespace {

// The flat tensors of a step; weight decay is for the first `decayed` elements.
struct Target {
  torch::Tensor parameters;
  torch::Tensor gradients;
  std::int64_t decayed;

  // Calls loop(begin, end, decay) on the decayed and the other part.
  template <typename Loop>
  void for_each_part(double decay, Loop loop) const {
    loop(std::int64_t{0}, decayed, static_cast<float>(decay));
    loop(decayed, parameters.numel(), 0.0F);
  }
};

LASTBIT_VECTORIZE void sgd_loop(float* __restrict w,
                                const float* __restrict g,
                                float* __restrict v,
                                std::int64_t count,
                                float rate,
                                float momentum,
                                float look_ahead,
                                float along,
                                float decay) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float slope = g[i] + decay * w[i];
    const float velocity = momentum * v[i] + slope;
    v[i] = velocity;
    w[i] -= rate * (along * slope + look_ahead * velocity);
  }
}

// Stochastic gradient descent with momentum, in the form that deep-learning frameworks use:
//     v = m v + g;   w -= rate * v            (Polyak)
//     v = m v + g;   w -= rate * (g + m v)    (Nesterov; Sutskever et al. 2013)
class Sgd final : public Optimizer {
 public:
  Sgd(const OptimizerOptions& options, Target target)
      : options_(options),
        target_(std::move(target)),
        velocity_(torch::zeros_like(target_.parameters)) {}

  void step(double learning_rate) override {
    const double look_ahead = options_.nesterov ? options_.momentum : 1.0;
    const double along = options_.nesterov ? 1.0 : 0.0;
    target_.for_each_part(options_.weight_decay, [&](auto begin, auto end, float decay) {
      if (target_.parameters.is_cpu()) {
        sgd_loop(target_.parameters.data_ptr<float>() + begin,
                 target_.gradients.data_ptr<float>() + begin,
                 velocity_.data_ptr<float>() + begin,
                 end - begin,
                 static_cast<float>(learning_rate),
                 static_cast<float>(options_.momentum),
                 static_cast<float>(look_ahead),
                 static_cast<float>(along),
                 decay);
        return;
      }
      torch::Tensor w = target_.parameters.slice(0, begin, end);
      torch::Tensor v = velocity_.slice(0, begin, end);
      take_step(w,
                target_.gradients.slice(0, begin, end),
                v,
                {.rate = learning_rate,
                 .momentum = options_.momentum,
                 .nesterov = options_.nesterov,
                 .decay = decay});
    });
  }

  double step_size(double learning_rate) const noexcept override {
    return learning_rate / (1.0 - options_.momentum);
  }
  void reset() override { velocity_.zero_(); }
  std::map<std::string, torch::Tensor> state() const override {
    return {{"velocity", velocity_.clone()}};
  }
  void load(const std::map<std::string, torch::Tensor>& state) override {
    velocity_.copy_(state.at("velocity"));
  }

 private:
  OptimizerOptions options_;
  Target target_;
  torch::Tensor velocity_;
};

LASTBIT_VECTORIZE void adam_loop(float* __restrict w,
                                 const float* __restrict g,
                                 float* __restrict mean,
                                 float* __restrict square,
                                 std::int64_t count,
                                 float beta1,
                                 float rest1,
                                 float beta2,
                                 float rest2,
                                 float rate,
                                 float root_correction,
                                 float epsilon,
                                 float decay) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float slope = g[i] + decay * w[i];
    mean[i] = beta1 * mean[i] + rest1 * slope;
    square[i] = beta2 * square[i] + rest2 * slope * slope;
    w[i] -= rate * mean[i] / (std::sqrt(square[i]) * root_correction + epsilon);
  }
}

// Adam (Kingma and Ba 2015, algorithm 1). The corrections of the moments' start at zero are
//     rate = learning_rate / (1 - beta1^t),   root_correction = 1 / sqrt(1 - beta2^t).
class Adam final : public Optimizer {
 public:
  Adam(const OptimizerOptions& options, Target target)
      : options_(options),
        target_(std::move(target)),
        mean_(torch::zeros_like(target_.parameters)),
        square_(torch::zeros_like(target_.parameters)) {}

  void step(double learning_rate) override {
    ++steps_;
    const auto t = static_cast<double>(steps_);
    const double rate = learning_rate / (1.0 - std::pow(options_.beta1, t));
    const double root_correction = 1.0 / std::sqrt(1.0 - std::pow(options_.beta2, t));
    target_.for_each_part(options_.weight_decay, [&](auto begin, auto end, float decay) {
      if (target_.parameters.is_cpu()) {
        adam_loop(target_.parameters.data_ptr<float>() + begin,
                  target_.gradients.data_ptr<float>() + begin,
                  mean_.data_ptr<float>() + begin,
                  square_.data_ptr<float>() + begin,
                  end - begin,
                  static_cast<float>(options_.beta1),
                  static_cast<float>(1.0 - options_.beta1),
                  static_cast<float>(options_.beta2),
                  static_cast<float>(1.0 - options_.beta2),
                  static_cast<float>(rate),
                  static_cast<float>(root_correction),
                  static_cast<float>(options_.epsilon),
                  decay);
        return;
      }
      torch::Tensor w = target_.parameters.slice(0, begin, end);
      torch::Tensor mean = mean_.slice(0, begin, end);
      torch::Tensor square = square_.slice(0, begin, end);
      take_step(w,
                target_.gradients.slice(0, begin, end),
                mean,
                square,
                {.rate = rate,
                 .beta1 = options_.beta1,
                 .beta2 = options_.beta2,
                 .root_correction = root_correction,
                 .epsilon = options_.epsilon,
                 .decay = decay});
    });
  }

  double step_size(double learning_rate) const noexcept override { return learning_rate; }
  void reset() override {
    mean_.zero_();
    square_.zero_();
    steps_ = 0;
  }
  std::map<std::string, torch::Tensor> state() const override {
    return {{"mean", mean_.clone()}, {"square", square_.clone()}, {"steps", torch::tensor(steps_)}};
  }
  void load(const std::map<std::string, torch::Tensor>& state) override {
    mean_.copy_(state.at("mean"));
    square_.copy_(state.at("square"));
    steps_ = state.at("steps").item<std::int64_t>();
  }

 private:
  OptimizerOptions options_;
  Target target_;
  torch::Tensor mean_;
  torch::Tensor square_;
  std::int64_t steps_ = 0;
};

constexpr std::array<OptimizerInfo, 2> kOptimizers = {{
    {"sgd", "stochastic gradient descent with (Nesterov) momentum"},
    {"adam", "Adam (Kingma and Ba 2015)"},
}};

void require(bool holds, std::string_view what, double value, std::string_view expected) {
  if (!holds) throw InputError(cat("[optimizer] ", what, " is ", value, ", expected ", expected));
}

void check(const OptimizerOptions& o) {
  const auto is_share = [](double x) { return x >= 0.0 && x < 1.0; };
  require(is_share(o.momentum), "momentum", o.momentum, "0 <= momentum < 1");
  require(is_share(o.beta1), "beta1", o.beta1, "0 <= beta1 < 1");
  require(is_share(o.beta2), "beta2", o.beta2, "0 <= beta2 < 1");
  require(o.epsilon > 0.0 && std::isfinite(o.epsilon), "epsilon", o.epsilon, "a positive number");
  require(o.weight_decay >= 0.0 && std::isfinite(o.weight_decay),
          "weight decay",
          o.weight_decay,
          "a number not below 0");
}

}  // namespace

std::span<const OptimizerInfo> optimizers() noexcept { return kOptimizers; }

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options,
                                          torch::Tensor parameters,
                                          torch::Tensor gradients,
                                          std::int64_t decayed) {
  check(options);
  Target target{std::move(parameters), std::move(gradients), decayed};
  if (options.name == "sgd") return std::make_unique<Sgd>(options, std::move(target));
  if (options.name == "adam") return std::make_unique<Adam>(options, std::move(target));
  std::vector<std::string_view> known;
  for (const OptimizerInfo& info : kOptimizers) known.push_back(info.name);
  throw InputError(
      cat("[optimizer] '", options.name, "' is not known, expected one of: ", join(known)));
}

}  // namespace lastbit
