#include "lastbit/method/squeezer.h"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include "lastbit/base/error.h"
#include "lastbit/method/admm.h"
#include "lastbit/method/registry.h"
#include "support.h"

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using torch::optim::SGD;
using torch::optim::SGDOptions;

constexpr std::int64_t kSize = 24;

torch::Tensor weight(std::uint64_t seed) {
  return tensor_of(random_values(kSize, seed)).view({4, 6}).requires_grad_();
}

std::vector<LowBitParameter> one(const torch::Tensor& value, std::string_view set = "ternary") {
  return {{.name = "w", .value = value, .set = parse_projector(set)}};
}

// Writes down what it is told.
class Diary final : public Method {
 public:
  struct Entries {
    std::vector<std::string> calls;
    std::vector<double> gradients;  // the first, at after_backward
    double learning_rate = 0.0;
    Progress last;
    bool gradients_enabled = false;
    bool restarts = false;
    double rate = 0.0;  // asked for; 0: the scheduled
  };

  explicit Diary(Entries& entries) : entries_(entries) {}

  std::string_view name() const noexcept override { return "diary"; }
  void begin(Weights weights) override {
    note("begin", {});
    weights_ = std::move(weights);
    low_bit_ = project(weights_.layers, weights_.value);
  }
  double learning_rate(const Progress& at, double scheduled) const override {
    note("learning_rate", at);
    return entries_.rate == 0.0 ? scheduled : entries_.rate;
  }
  int passes() const noexcept override { return 2; }
  void before_forward(const Progress& at, int pass) override {
    note("before" + std::to_string(pass), at);
  }
  void after_backward(const Progress& at, int pass) override {
    note("after" + std::to_string(pass), at);
    entries_.gradients.push_back(weights_.gradient[0].item<double>());
  }
  void after_step(const Progress& at) override { note("step", at); }
  Residuals end_round(const Progress& at) override {
    note("round", at);
    return {.primal = 0.25};
  }
  bool restarts_optimizer() const noexcept override { return entries_.restarts; }
  torch::Tensor seen(const Progress& /*at*/) const override { return weights_.value; }
  const std::vector<Quantized>& deployed() const noexcept override { return low_bit_; }
  std::map<std::string, torch::Tensor> state() const override { return {}; }
  void load(const std::map<std::string, torch::Tensor>& /*state*/) override {}

 private:
  void note(const std::string& call, const Progress& at) const {
    entries_.calls.push_back(call);
    entries_.last = at;
    entries_.gradients_enabled = entries_.gradients_enabled || torch::GradMode::is_enabled();
  }

  Entries& entries_;
  Weights weights_;
  std::vector<Quantized> low_bit_;
};

// Against the loop written by hand, with the same operations: bit for bit.
TEST(Squeezer, DoesWhatALoopByHandDoes) {
  for (const char* const name : {"admm", "md-tanh-s", "bc", "lc-qp"}) {
    SCOPED_TRACE(name);
    const torch::Tensor target = tensor_of(random_values(kSize, 9));
    const MethodInfo& info = find_method(name);
    const std::string set = std::string_view(name) == "bc" ? "binary" : "ternary";

    Weights by_hand = one_layer(random_values(kSize, 1), set, 4);
    const auto method = make_method(info);
    method->begin(by_hand);
    Progress at{.total_steps = 12, .total_rounds = 4, .round_steps = 3, .learning_rate = 0.05};
    for (int step = 0; step < 12; ++step) {
      at.step_size = 0.05;
      at.learning_rate = method->learning_rate(at, 0.05);
      descend(
          *method, by_hand, [&](const torch::Tensor& w) { return w - target; }, at);
      if (at.step % 3 != 0) continue;
      method->end_round(at);
      ++at.round;
    }

    const torch::Tensor w = weight(1);
    SGD optimizer({w}, SGDOptions(0.05));
    Squeezer squeezer(one(w, set), make_method(info), optimizer, {.steps = 12, .round_steps = 3});
    for (int step = 0; step < 12; ++step) {
      squeezer.step([&] {
        w.mutable_grad() += (w.detach().view(kSize) - target).view({4, 6});
        return torch::zeros({});
      });
    }
    EXPECT_EQ(vector_of(w.detach()), vector_of(by_hand.value));
    EXPECT_EQ(squeezer.deployed()[0].codes, method->deployed()[0].codes);
    EXPECT_EQ(squeezer.deployed()[0].scales, method->deployed()[0].scales);
    squeezer.finish();
    EXPECT_EQ(vector_of(w.detach()), decoded(method->deployed()[0]));
  }
}

// A network of the user's own and LibTorch's optimizer, both on the device.
TEST(Squeezer, GoesOnAGpuAsOnTheHost) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  const torch::Tensor input = tensor_of(random_values(60, 3)).view({10, 6});
  const torch::Tensor target = tensor_of(random_values(40, 4)).view({10, 4});
  const auto squeezed = [&](torch::Device device) {
    const torch::Tensor w = weight(1).detach().to(device).set_requires_grad(true);
    SGD optimizer({w}, SGDOptions(0.05).momentum(0.9));
    Squeezer squeezer(one(w, "ternary/channel"),
                      make_method(find_method("admm")),
                      optimizer,
                      {.steps = 12, .round_steps = 3});
    for (int step = 0; step < 12; ++step) {
      squeezer.step([&] {
        const torch::Tensor loss =
            (torch::matmul(input.to(device), w.t()) - target.to(device)).square().mean();
        loss.backward();
        return loss;
      });
    }
    squeezer.finish();
    return w.detach().to(torch::kCPU);
  };
  EXPECT_TRUE(squeezed(torch::kCUDA).allclose(squeezed(torch::kCPU), 1e-4));
}

TEST(Squeezer, CallsTheHooksInTheirOrderWithoutGradients) {
  Diary::Entries diary;
  const torch::Tensor w = weight(1);
  SGD optimizer({w}, SGDOptions(0.1).momentum(0.5));
  Squeezer squeezer(one(w),
                    std::make_unique<Diary>(diary),
                    optimizer,
                    {.steps = 3, .round_steps = 2, .epoch_steps = 2});
  int calls = 0;
  const auto backward = [&] {
    EXPECT_TRUE(torch::GradMode::is_enabled());
    diary.calls.emplace_back("backward");
    torch::Tensor loss = (w * static_cast<float>(++calls)).sum();
    loss.backward();
    return loss;
  };
  squeezer.step(backward);
  EXPECT_THAT(diary.calls,
              ElementsAre("begin",
                          "learning_rate",
                          "before0",
                          "backward",
                          "after0",
                          "before1",
                          "backward",
                          "after1",
                          "step"));
  EXPECT_THAT(diary.gradients, ElementsAre(1.0, 2.0));  // zero before each pass
  EXPECT_EQ(diary.last.step, 1);
  EXPECT_EQ(diary.last.learning_rate, 0.1);
  EXPECT_EQ(diary.last.step_size, 0.2);
  EXPECT_EQ(diary.last.round_steps, 2);
  EXPECT_EQ(diary.last.total_rounds, 2);
  EXPECT_FALSE(squeezer.residuals().has_value());

  diary.calls.clear();
  squeezer.step(backward);
  EXPECT_EQ(diary.calls.back(), "round");
  EXPECT_EQ(diary.last.round, 0);
  EXPECT_EQ(diary.last.epoch, 0);
  EXPECT_EQ(squeezer.residuals()->primal, 0.25);
  squeezer.step(backward);
  EXPECT_EQ(diary.calls.back(), "round");  // of the last step, though it is the round's first
  EXPECT_EQ(diary.last.round, 1);
  EXPECT_EQ(diary.last.epoch, 1);
  EXPECT_FALSE(diary.gradients_enabled);
  EXPECT_THAT([&] { squeezer.step(backward); },
              ThrowsMessage<InputError>(HasSubstr("after the last, expected 3 steps")));
}

TEST(Squeezer, LowersAllLearningRatesForTheStepAlone) {
  Diary::Entries diary;
  diary.rate = 0.025;
  const torch::Tensor w = weight(1);
  const torch::Tensor bias = torch::zeros({2}).requires_grad_();
  SGD optimizer({w, bias}, SGDOptions(0.1));
  Squeezer squeezer(one(w), std::make_unique<Diary>(diary), optimizer, {.steps = 2});
  const torch::Tensor before = w.detach().clone();
  squeezer.step([&] {
    torch::Tensor loss = w.sum() + bias.sum();
    loss.backward();
    return loss;
  });
  EXPECT_TRUE(torch::allclose(before - w.detach(), torch::full({4, 6}, 0.025), 0.0, 1e-6));
  EXPECT_TRUE(torch::equal(bias.detach(), torch::full({2}, -0.025)));
  EXPECT_EQ(optimizer.param_groups()[0].options().get_lr(), 0.1);
}

TEST(Squeezer, ForgetsMomentumAfterARoundWhereTheMethodWantsThat) {
  for (const bool restarts : {false, true}) {
    Diary::Entries diary;
    diary.restarts = restarts;
    const torch::Tensor w = weight(1);
    SGD optimizer({w}, SGDOptions(0.1).momentum(0.9));
    Squeezer squeezer(
        one(w), std::make_unique<Diary>(diary), optimizer, {.steps = 2, .round_steps = 1});
    const auto backward = [&] {
      torch::Tensor loss = w.sum();
      loss.backward();
      return loss;
    };
    squeezer.step(backward);
    const torch::Tensor before = w.detach().clone();
    squeezer.step(backward);
    EXPECT_NEAR((before - w.detach())[0][0].item<double>(), restarts ? 0.1 : 0.19, 1e-6);
  }
}

// As zero_grad() leaves them in newer versions of LibTorch.
TEST(Squeezer, FindsGradientsThatLieElsewhereOrNowhere) {
  Diary::Entries diary;
  const torch::Tensor w = weight(1);
  const torch::Tensor other = weight(2);
  SGD optimizer({w, other}, SGDOptions(0.1));
  auto parameters = one(w);
  parameters.push_back({.name = "other", .value = other, .set = parameters[0].set});
  Squeezer squeezer(parameters, std::make_unique<Diary>(diary), optimizer, {.steps = 2});
  for (int step = 0; step < 2; ++step) {
    const torch::Tensor before = other.detach().clone();
    squeezer.step([&] {
      w.mutable_grad() = torch::Tensor();
      other.mutable_grad() = torch::Tensor();
      torch::Tensor loss = 3.0 * w.sum();
      loss.backward();
      return loss;
    });
    EXPECT_TRUE(torch::equal(before, other.detach()));
  }
  EXPECT_THAT(diary.gradients, ElementsAre(3.0, 3.0, 3.0, 3.0));
}

TEST(Squeezer, ShowsTheLowBitWeightsForAWhileOrForGood) {
  const torch::Tensor w = weight(1);
  SGD optimizer({w}, SGDOptions(0.1));
  Squeezer squeezer(one(w), make_method(find_method("admm")), optimizer, {.steps = 9});
  const std::vector<float> before = vector_of(w.detach());
  std::vector<float> seen;
  squeezer.evaluate([&] { seen = vector_of(w.detach()); });
  EXPECT_EQ(seen, decoded(squeezer.deployed()[0]));
  EXPECT_EQ(vector_of(w.detach()), before);
  EXPECT_THROW(squeezer.evaluate([] { throw WorkError("no"); }), WorkError);
  EXPECT_EQ(vector_of(w.detach()), before);

  const auto backward = [&] {
    torch::Tensor loss = w.square().sum();
    loss.backward();
    return loss;
  };
  squeezer.step(backward);
  squeezer.finish();  // ends the round that is under way
  EXPECT_EQ(squeezer.progress().round, 1);
  EXPECT_EQ(vector_of(w.detach()), decoded(squeezer.deployed()[0]));
  EXPECT_THAT([&] { squeezer.step(backward); },
              ThrowsMessage<InputError>(HasSubstr("after finish()")));
}

TEST(Squeezer, RefusesALossThatIsNone) {
  const torch::Tensor w = weight(1);
  SGD optimizer({w}, SGDOptions(0.1));
  Squeezer squeezer(one(w), make_method(find_method("admm")), optimizer, {.steps = 1});
  EXPECT_THROW(squeezer.step([] { return torch::Tensor(); }), InputError);
  EXPECT_THROW(squeezer.step([] { return torch::zeros({2}); }), InputError);
  EXPECT_THAT(
      [&] {
        squeezer.step([] { return torch::full({}, std::numeric_limits<float>::quiet_NaN()); });
      },
      ThrowsMessage<WorkError>(HasSubstr("the loss is no longer finite in step 1")));
}

TEST(Squeezer, RefusesWhatItCannotWorkWith) {
  const torch::Tensor w = weight(1);
  const torch::Tensor other = weight(2);
  SGD sgd({w}, SGDOptions(0.1));
  torch::optim::Adagrad adagrad({w});
  const auto expect_refused = [&](const std::vector<LowBitParameter>& parameters,
                                  torch::optim::Optimizer& optimizer,
                                  const SqueezerOptions& options,
                                  const std::string& sentence) {
    EXPECT_THAT([&] { Squeezer(parameters, make_method(find_method("admm")), optimizer, options); },
                ThrowsMessage<InputError>(HasSubstr(sentence)));
  };
  expect_refused(one(w), sgd, {}, "steps is 0, expected at least 1");
  expect_refused(one(w), sgd, {.steps = 1, .round_steps = 0}, "round_steps is 0");
  expect_refused(one(w), sgd, {.steps = 1, .epoch_steps = -1}, "epoch_steps is -1");
  expect_refused(one(other), sgd, {.steps = 1}, "does not hold the parameter 'w'");
  expect_refused(one(w), adagrad, {.steps = 1}, "the optimizer is Adagrad");
  expect_refused({}, sgd, {.steps = 1}, "got 0 parameters");
  auto parameters = one(w);
  parameters[0].channel_axis = 2;
  expect_refused(parameters, sgd, {.steps = 1}, "channels on axis 2, expected one of its 2");
}

TEST(LowBitParameters, AreThoseOfAModuleThatMatch) {
  torch::nn::Sequential net(torch::nn::Linear(3, 4), torch::nn::Linear(4, 2));
  const auto all = low_bit_parameters(*net, "*", "ternary/channel");
  ASSERT_EQ(all.size(), 2U);  // no bias
  EXPECT_EQ(all[0].name, "0.weight");
  EXPECT_EQ(all[0].set->name(), "ternary/channel");
  EXPECT_TRUE(all[1].value.is_same(net[1]->as<torch::nn::Linear>()->weight));
  EXPECT_EQ(low_bit_parameters(*net, "1.*", "binary").size(), 1U);
  EXPECT_THAT([&] { low_bit_parameters(*net, "conv*", "binary"); },
              ThrowsMessage<InputError>(HasSubstr(
                  "matches 'conv*', expected some of: 0.weight, 0.bias, 1.weight, 1.bias")));
  EXPECT_THROW(low_bit_parameters(*net, "*", "septenary"), InputError);
}

}  // namespace
}  // namespace lastbit
