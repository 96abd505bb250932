// What the finish and distillation add to training: batch norm estimated anew, a teacher, codebooks
// in common.

#include <cmath>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/train/batch_norm.h"
#include "lastbit/train/distillation.h"
#include "lastbit/train/sample_batches.h"
#include "support.h"

namespace lastbit {
namespace {

// A batch norm over three channels, which is all the network does.
Graph norm_graph() {
  Graph graph;
  graph.inputs = {{"x", DType::kFloat, {{.symbol = "batch"}, {.size = 3}}}};
  graph.outputs = {{"y", DType::kFloat, {{.symbol = "batch"}, {.size = 3}}}};
  const auto add = [&](const std::string& name, const std::vector<float>& values) {
    graph.initializers.emplace(name, Tensor::floats({3}, values));
  };
  add("scale", {1, 2, 3});
  add("bias", {0, 1, 0});
  add("mean", {9, 9, 9});
  add("variance", {4, 4, 4});
  Node norm;
  norm.op = "BatchNormalization";
  norm.inputs = {"x", "scale", "bias", "mean", "variance"};
  norm.outputs = {"y"};
  graph.nodes = {norm};
  return graph;
}

TEST(BatchNorm, TakesTheAverageOverBatchesWhateverItWas) {
  Network network(norm_graph(), {});
  const auto samples = std::make_shared<RandomSamples>(40, Shape{3}, 2);
  const SampleBatches data(samples, {3}, torch::kCPU);
  EXPECT_EQ(reestimate_batch_norm(network, data, 20, 100, 1), 2);
  const std::vector<std::int64_t> order = shuffled_order(40, 1, 0);
  std::vector<double> mean(3, 0.0);
  std::vector<double> variance(3, 0.0);
  for (std::size_t batch = 0; batch < 2; ++batch) {
    for (std::size_t c = 0; c < 3; ++c) {
      double sum = 0.0;
      double square = 0.0;
      for (std::size_t i = 0; i < 20; ++i) {
        const auto index = static_cast<std::size_t>(order[batch * 20 + i]);
        const double x = samples->values()[index * 3 + c];
        sum += x;
        square += x * x;
      }
      mean[c] += sum / 20.0 / 2.0;
      // The running variance is the unbiased one.
      variance[c] += (square - sum * sum / 20.0) / 19.0 / 2.0;
    }
  }
  const Graph graph = network.exported();
  const auto values = [&](const std::string& name) {
    const Tensor tensor = decode(*graph.find_initializer(name));
    return std::vector<float>(tensor.as_floats().begin(), tensor.as_floats().end());
  };
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(values("mean")[c], mean[c], 1e-6);
    EXPECT_NEAR(values("variance")[c], variance[c], 1e-6);
  }
  EXPECT_EQ(reestimate_batch_norm(network, data, 16, 100, 1), 2) << "the rest is no whole batch";
  EXPECT_EQ(reestimate_batch_norm(network, data, 100, 100, 1), 1);
  EXPECT_THROW(reestimate_batch_norm(network, data, 1, 100, 1), InputError);
}

TEST(BatchNorm, IsNothingToEstimateInANetworkWithoutIt) {
  Network network(small_mlp(), {});
  const SampleBatches data(small_digits(20, 1).train, network.sample_shape(), torch::kCPU);
  EXPECT_EQ(reestimate_batch_norm(network, data, 10, 10, 1), 0);
}

TEST(Distillation, AddsTheDivergenceFromTheTeacher) {
  Network teacher(small_mlp(1), {});
  teacher.set_training(false);
  const Batch batch = SampleBatches(small_digits(6, 1).train, teacher.sample_shape(), torch::kCPU)
                          .gather(std::vector<std::int64_t>{0, 1, 2, 3, 4, 5});
  const torch::Tensor taught = teacher.forward(batch.input).detach().to(torch::kFloat64);
  const torch::Tensor logits = torch::randn({6, 10}).set_requires_grad(true);
  const torch::Tensor loss = at::cross_entropy_loss(logits, batch.labels);
  const double share = 0.25;
  const double temperature = 3.0;
  const torch::Tensor result = distilled(
      {.teacher = &teacher, .share = share, .temperature = temperature}, batch.input, logits, loss);

  const torch::Tensor p = torch::softmax(taught / temperature, 1);
  const torch::Tensor q = torch::softmax(logits.detach().to(torch::kFloat64) / temperature, 1);
  const double divergence = (p * (p / q).log()).sum().item<double>() / 6.0;
  EXPECT_NEAR(result.item<double>(), 0.75 * loss.item<double>() + 0.25 * 9.0 * divergence, 1e-5);
  // d/dlogits of T^2 KL is T (q - p), over the batch's mean.
  (result - 0.75 * loss).backward();
  const torch::Tensor slope = logits.grad().to(torch::kFloat64);
  const torch::Tensor expected = 0.25 * temperature * (q - p) / 6.0;
  EXPECT_LE((slope - expected).abs().max().item<double>(), 1e-6);
}

TEST(Distillation, FromItselfLeavesNothingToLearn) {
  Network teacher(small_mlp(1), {});
  teacher.set_training(false);
  const Batch batch = SampleBatches(small_digits(4, 1).train, teacher.sample_shape(), torch::kCPU)
                          .gather(std::vector<std::int64_t>{0, 1, 2, 3});
  const torch::Tensor logits = teacher.forward(batch.input);
  const torch::Tensor loss = at::cross_entropy_loss(logits, batch.labels);
  EXPECT_NEAR(
      distilled({.teacher = &teacher, .share = 1.0}, batch.input, logits, loss).item<double>(),
      0.0,
      1e-6);
}

TEST(Distillation, RefusesWhatIsNoShareOrTemperature) {
  EXPECT_THROW(check({.share = 0.0}), InputError);
  EXPECT_THROW(check({.share = 1.5}), InputError);
  EXPECT_THROW(check({.temperature = 0.0}), InputError);
  EXPECT_THROW(check({.temperature = std::nan("")}), InputError);
  EXPECT_NO_THROW(check({.share = 1.0, .temperature = 1.0}));
}

std::vector<Constraint> shared(const std::vector<std::string>& rules,
                               const std::vector<std::string>& patterns) {
  const Graph graph = make_network("lenet300", {.center = "none"});
  std::vector<Constraint> result = choose_codebooks(graph, rules);
  share_codebooks(graph, result, patterns);
  return result;
}

std::string refusal(const std::vector<std::string>& rules,
                    const std::vector<std::string>& patterns) {
  try {
    shared(rules, patterns);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(SharedCodebooks, AreThoseOfTheLayersThatMatch) {
  const auto constraints = shared({"ternary"}, {"fc?"});
  for (const Constraint& constraint : constraints) EXPECT_EQ(constraint.shared, 0);
  EXPECT_EQ(shared({"ternary"}, {})[0].shared, -1);
}

TEST(SharedCodebooks, AreFittedAsOne) {
  const Graph graph = make_network("lenet300", {.center = "none"});
  std::vector<Constraint> constraints =
      choose_codebooks(graph, std::vector<std::string>{"ternary"});
  share_codebooks(graph, constraints, std::vector<std::string>{"fc*"});
  Network network(graph, constraints);
  const std::vector<Quantized> low_bit =
      project(network.constrained_layers(), network.constrained().value);
  const std::vector<float> flat = vector_of(network.constrained().value);
  const Quantized whole =
      parse_projector("ternary")->project(flat, {1, 1, static_cast<std::int64_t>(flat.size())});
  std::vector<Code> codes;
  for (const Quantized& one : low_bit) {
    EXPECT_EQ(one.scales, whole.scales);
    codes.insert(codes.end(), one.codes.begin(), one.codes.end());
  }
  EXPECT_EQ(codes, whole.codes);
}

TEST(SharedCodebooks, AreRefusedWhereTheyCannotBe) {
  EXPECT_EQ(refusal({"ternary"}, {"fc1"}),
            "[share] 'fc1' selects 1 low-bit layers, expected at least two");
  EXPECT_EQ(refusal({"ternary", "fc1=float"}, {"fc1"}),
            "[share] 'fc1' selects 0 low-bit layers, expected at least two");
  EXPECT_EQ(
      refusal({"ternary/channel"}, {"fc*"}),
      "[share] 'fc*' selects 'fc1' with codebook ternary/channel, expected a scale per tensor "
      "or none");
  EXPECT_EQ(refusal({"ternary", "fc3=binary"}, {"fc*"}),
            "[share] 'fc*' selects 'fc1' with codebook ternary/tensor and 'fc3' with "
            "binary/tensor, expected one codebook");
  EXPECT_EQ(refusal({"ternary"}, {"fc*", "*2"}),
            "[share] '*2' selects 'fc2', which already shares another codebook");
}

}  // namespace
}  // namespace lastbit
