#include "lastbit/method/weights.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <torch/nn.h>
#include <torch/optim.h>

#include "lastbit/base/error.h"
#include "lastbit/method/admm.h"
#include "support.h"

namespace lastbit {
namespace {

ConstrainedWeight layer(const std::string& name, ChannelLayout layout, const std::string& set) {
  return {.name = name, .offset = -1, .layout = layout, .set = parse_projector(set)};
}

std::string refusal(std::vector<torch::Tensor> parameters, std::vector<ConstrainedWeight> layers) {
  try {
    Weights::adopt(std::move(parameters), std::move(layers));
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Weights, AdoptMakesParametersViewsOfOneTensor) {
  torch::Tensor a = torch::arange(6, torch::kFloat32).view({2, 3}).requires_grad_();
  torch::Tensor b = torch::full({4}, 7.0F).requires_grad_();
  const Weights weights =
      Weights::adopt({a, b}, {layer("a", {1, 2, 3}, "ternary"), layer("b", {1, 1, 4}, "binary")});
  EXPECT_EQ(weights.size(), 10);
  EXPECT_EQ(weights.layers[0].offset, 0);
  EXPECT_EQ(weights.layers[1].offset, 6);
  EXPECT_EQ(vector_of(weights.value), (std::vector<float>{0, 1, 2, 3, 4, 5, 7, 7, 7, 7}));
  EXPECT_EQ(a.sizes(), (std::vector<std::int64_t>{2, 3}));
  EXPECT_TRUE(a.is_leaf());
  EXPECT_TRUE(a.requires_grad());

  weights.value.fill_(2.0F);
  EXPECT_EQ(vector_of(a.detach()), std::vector<float>(6, 2.0F));
  EXPECT_EQ(vector_of(b.detach()), std::vector<float>(4, 2.0F));
}

TEST(Weights, AdoptMakesGradientsViewsOfOneTensor) {
  torch::Tensor a = torch::ones({2, 3}).requires_grad_();
  torch::Tensor b = torch::ones({4}).requires_grad_();
  Weights weights =
      Weights::adopt({a, b}, {layer("a", {1, 2, 3}, "ternary"), layer("b", {1, 1, 4}, "binary")});
  for (int pass = 1; pass <= 2; ++pass) {
    ((3.0F * a).sum() + (5.0F * b).sum()).backward();
    const float times = static_cast<float>(pass);
    EXPECT_EQ(vector_of(weights.gradient.narrow(0, 0, 6)), std::vector<float>(6, 3.0F * times));
    EXPECT_EQ(vector_of(weights.gradient.narrow(0, 6, 4)), std::vector<float>(4, 5.0F * times));
  }
  weights.gradient.zero_();
  EXPECT_EQ(vector_of(a.grad()), std::vector<float>(6, 0.0F));
}

TEST(Weights, AdoptTakesParametersThatAreNotContiguous) {
  torch::Tensor a = torch::arange(6, torch::kFloat32).view({2, 3}).t();
  const Weights weights = Weights::adopt({a}, {layer("a", {1, 3, 2}, "ternary")});
  EXPECT_EQ(vector_of(weights.value), (std::vector<float>{0, 3, 1, 4, 2, 5}));
}

TEST(Weights, AdoptSaysWhatDoesNotFit) {
  EXPECT_EQ(refusal({}, {}),
            "[weights] got 0 parameters for 0 layers, expected as many, and at least one");
  EXPECT_EQ(refusal({torch::ones({3})}, {}),
            "[weights] got 1 parameters for 0 layers, expected as many, and at least one");
  EXPECT_EQ(refusal({torch::ones({3})}, {layer("fc", {1, 2, 2}, "binary")}),
            "[weights] parameter 'fc' has 3 float values, expected 4 float32 values on the device "
            "of the first");
  EXPECT_EQ(refusal({torch::ones({4}, torch::kFloat64)}, {layer("fc", {1, 2, 2}, "binary")}),
            "[weights] parameter 'fc' has 4 double values, expected 4 float32 values on the device "
            "of the first");
}

TEST(Weights, ProjectAndDecodeTakeEachLayersSlice) {
  const std::vector<float> values = random_values(20, 1);
  Weights weights;
  weights.value = tensor_of(values);
  weights.layers = {layer("a", {1, 2, 4}, "ternary/channel"), layer("b", {1, 1, 12}, "binary")};
  weights.layers[0].offset = 0;
  weights.layers[1].offset = 8;
  const std::vector<Quantized> low_bit = project(weights.layers, weights.value);
  ASSERT_EQ(low_bit.size(), 2U);
  const std::span<const float> all = values;
  EXPECT_EQ(low_bit[0].codes,
            parse_projector("ternary/channel")->project(all.first(8), {1, 2, 4}).codes);
  EXPECT_EQ(low_bit[1].codes, parse_projector("binary")->project(all.last(12), {1, 1, 12}).codes);

  torch::Tensor flat = torch::zeros({20});
  decode(weights.layers, low_bit, flat);
  EXPECT_EQ(vector_of(flat.narrow(0, 0, 8)), decoded(low_bit[0]));
  EXPECT_EQ(vector_of(flat.narrow(0, 8, 12)), decoded(low_bit[1]));
}

// A user's own network, optimizer and loop: two clouds of points told apart by ternary weights.
TEST(Weights, TrainAUsersOwnNetworkToLowBits) {
  torch::manual_seed(1);
  torch::nn::Sequential network(
      torch::nn::Linear(2, 16), torch::nn::Tanh(), torch::nn::Linear(16, 2));
  const torch::Tensor labels = torch::arange(200).remainder(2);
  const torch::Tensor centers = (2.0F * labels.to(torch::kFloat32) - 1.0F).unsqueeze(1);
  const torch::Tensor input = 0.3F * torch::randn({200, 2}) + centers;

  torch::Tensor first = network[0]->as<torch::nn::Linear>()->weight;
  torch::Tensor last = network[2]->as<torch::nn::Linear>()->weight;
  Weights weights = Weights::adopt(
      {first, last}, {layer("0", {1, 16, 2}, "ternary"), layer("2", {1, 2, 16}, "ternary")});
  const auto method = make_admm({.rho = 0.05, .extragradient = true});
  torch::optim::SGD optimizer(network->parameters(), torch::optim::SGDOptions(0.1));
  {
    const torch::NoGradGuard no_gradient;
    method->begin(weights);
  }
  Progress at{.total_steps = 200, .total_rounds = 20, .learning_rate = 0.1};
  for (; at.step < at.total_steps; ++at.step) {
    for (int pass = 0; pass < method->passes(); ++pass) {
      network->zero_grad();
      torch::nn::functional::cross_entropy(network->forward(input), labels).backward();
      const torch::NoGradGuard no_gradient;
      method->after_backward(at, pass);
    }
    optimizer.step();
    const torch::NoGradGuard no_gradient;
    method->after_step(at);
    if ((at.step + 1) % 10 != 0) continue;
    method->end_round(at);
    ++at.round;
  }
  const torch::NoGradGuard no_gradient;
  decode(weights.layers, method->deployed(), weights.value);
  EXPECT_EQ(vector_of(first), decoded(method->deployed()[0]));
  const auto misses = network->forward(input).argmax(1).ne(labels).sum().item<std::int64_t>();
  EXPECT_EQ(misses, 0) << "the clouds are more than four deviations apart from the border";
}

}  // namespace
}  // namespace lastbit
