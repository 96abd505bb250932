#include "lastbit/train/precision.h"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/Context.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "lastbit/base/error.h"
#include "lastbit/train/distillation.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/trainer.h"
#include "support.h"
#include "tests/runtime/small_zoo.h"

namespace lastbit {
namespace {

constexpr std::int64_t kSamples = 8;

bool has_bf16() {
  try {
    require_precision(Precision::kBf16, torch::kCPU);
    return true;
  } catch (const InputError&) {
    return false;
  }
}

// Images, and what one pass of a network in training leaves of them.
struct Pass {
  torch::Tensor logits;
  torch::Tensor gradients;
  std::vector<torch::Tensor> statistics;
};

ZooOptions options_of(std::string_view network) {
  ZooOptions options = reference::small_zoo(network);
  // Batch norm needs more than the values of a channel that one pixel a sample leaves.
  if (options.input[1] == 4) options.input = {3, 16, 16};
  return options;
}

Pass pass(const Graph& graph,
          Precision precision,
          std::optional<bool> channels_last,
          torch::Device device = torch::kCPU) {
  Network network(graph, {}, device);
  network.set_channels_last(channels_last);
  Shape shape = network.sample_shape();
  shape.insert(shape.begin(), kSamples);
  torch::manual_seed(3);
  const torch::Tensor input = (torch::rand(shape) - 0.5).to(device);
  torch::manual_seed(4);  // of dropout
  const Tf32Scope tf32(precision);
  const torch::Tensor logits = network.forward(input, precision);
  const torch::Tensor labels = torch::arange(kSamples).remainder(logits.size(1)).to(device);
  cross_entropy(logits, labels).loss.backward();
  Pass result{.logits = logits.detach().to(torch::kCPU),
              .gradients = network.gradients().to(torch::kCPU),
              .statistics = {}};
  for (const torch::Tensor& statistic : network.statistics()) {
    result.statistics.push_back(statistic.clone());
  }
  return result;
}

double distance(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).norm().item<double>() / b.norm().item<double>();
}

double cosine(const torch::Tensor& a, const torch::Tensor& b) {
  return (a * b).sum().item<double>() / (a.norm() * b.norm()).item<double>();
}

// One of each kind: plain, residual, with branches, with convolutions of a channel each.
constexpr std::array kNetworks = {
    "lenet5", "resnet20", "resnet18", "vgg16", "googlenet", "mobilenetv2"};

// Sums run in another order. Of a gradient a rounding may change more, where it carries an
// activation over a rectifier's corner, and batch norm over a few values carries that on.
TEST(ChannelsLast, ComputesTheSame) {
  for (const char* name : kNetworks) {
    SCOPED_TRACE(name);
    const Graph graph = make_network(name, options_of(name));
    const Pass planes = pass(graph, Precision::kFloat32, false);
    const Pass last = pass(graph, Precision::kFloat32, true);
    EXPECT_LE(distance(last.logits, planes.logits), 1e-4);
    EXPECT_GE(cosine(last.gradients, planes.gradients), 0.999);
    ASSERT_EQ(last.statistics.size(), planes.statistics.size());
    for (std::size_t i = 0; i < last.statistics.size(); ++i) {
      EXPECT_LE((last.statistics[i] - planes.statistics[i]).abs().max().item<double>(), 1e-3);
    }
  }
}

TEST(ChannelsLast, LeavesTheOrderOfWeightsAlone) {
  const Graph graph = make_network("resnet20", {.input = {3, 8, 8}});
  Network network(graph, {});
  const torch::Tensor before = network.parameters().clone();
  network.set_channels_last(true);
  network.forward(torch::rand({2, 3, 8, 8})).sum().backward();
  EXPECT_TRUE(network.parameters().equal(before));
  const Graph exported = network.exported();
  for (const auto& [name, value] : graph.initializers) {
    if (name.ends_with(".mean") || name.ends_with(".variance")) continue;  // of the batch by now
    EXPECT_EQ(decode(*exported.find_initializer(name)), decode(value)) << name;
  }
}

// The gradient of a kernel that is not symmetric, by differences of the loss.
TEST(ChannelsLast, GivesGradientsInTheOrderOfWeights) {
  Network network(make_network("lenet5", {.input = {3, 16, 16}, .seed = 2}), {});
  network.set_channels_last(true);
  torch::manual_seed(5);
  const torch::Tensor input = torch::rand({4, 3, 16, 16});
  const torch::Tensor labels = torch::arange(4);
  const auto loss = [&] { return cross_entropy(network.forward(input), labels).loss; };
  loss().backward();
  const torch::NoGradGuard no_gradient;
  torch::Tensor parameters = network.parameters();
  // Along its own direction over the first kernel alone, a gradient g changes the loss by |g|^2.
  const torch::Tensor first = network.gradients().narrow(0, 0, 20 * 3 * 5 * 5).clone();
  constexpr double kStep = 1e-2;
  parameters.narrow(0, 0, first.numel()).add_(first, kStep);
  const double above = loss().item<double>();
  parameters.narrow(0, 0, first.numel()).sub_(first, 2 * kStep);
  const double below = loss().item<double>();
  const double expected = first.square().sum().item<double>();
  EXPECT_NEAR((above - below) / (2 * kStep), expected, 0.02 * expected);
}

TEST(Bf16, GoesTheWayOfFloat32InEveryKindOfNetwork) {
  if (!has_bf16()) GTEST_SKIP() << "this processor has no bf16";
  for (const char* name : kNetworks) {
    SCOPED_TRACE(name);
    const Graph graph = make_network(name, options_of(name));
    const Pass exact = pass(graph, Precision::kFloat32, {});
    const Pass rounded = pass(graph, Precision::kBf16, {});
    EXPECT_EQ(rounded.logits.scalar_type(), torch::kFloat32);
    EXPECT_EQ(rounded.gradients.scalar_type(), torch::kFloat32);
    // Each layer rounds its factors and its result by up to 2^-9, which depth and norms over a few
    // values enlarge.
    EXPECT_LE(distance(rounded.logits, exact.logits), 0.5);
    EXPECT_GT(distance(rounded.logits, exact.logits), 1e-5) << "nothing was rounded";
    EXPECT_GE(cosine(rounded.gradients, exact.gradients), 0.2);
  }
}

TEST(Bf16, GivesTheGradientOfFloat32WhereNothingEnlargesRoundings) {
  if (!has_bf16()) GTEST_SKIP() << "this processor has no bf16";
  for (const char* name : {"mlp", "lenet300", "lenet5"}) {
    SCOPED_TRACE(name);
    const Graph graph = make_network(name, options_of(name));
    const Pass exact = pass(graph, Precision::kFloat32, {});
    const Pass rounded = pass(graph, Precision::kBf16, {});
    EXPECT_LE(distance(rounded.logits, exact.logits), 0.02);
    EXPECT_GE(cosine(rounded.gradients, exact.gradients), 0.98);
  }
}

struct Training {
  explicit Training(Precision precision)
      : graph(make_network("lenet5", {.center = "none", .seed = 1})),
        network(graph, {}),
        digits(small_digits(600, 200)),
        train(digits.train, network.sample_shape(), torch::kCPU),
        test(digits.test, network.sample_shape(), torch::kCPU),
        trainer(network,
                train,
                test,
                {.epochs = 4, .batch = 50, .learning_rate = 0.05, .precision = precision}) {}

  EpochReport run() {
    EpochReport last;
    Observer observer;
    observer.epoch = [&](const EpochReport& report) { last = report; };
    trainer.run(observer);
    return last;
  }

  Graph graph;
  Network network;
  Dataset digits;
  SampleBatches train;
  SampleBatches test;
  Trainer trainer;
};

TEST(Bf16, LearnsAsFloat32Does) {
  if (!has_bf16()) GTEST_SKIP() << "this processor has no bf16";
  Training exact(Precision::kFloat32);
  Training rounded(Precision::kBf16);
  const EpochReport by_float = exact.run();
  const EpochReport by_bf16 = rounded.run();
  EXPECT_NE(by_bf16.loss, by_float.loss);
  EXPECT_LT(by_float.loss, 1.0) << "it learns, from log 10";
  EXPECT_NEAR(by_bf16.loss, by_float.loss, 0.1 * by_float.loss);
}

TEST(Bf16, IsTestedInFloat32) {
  if (!has_bf16()) GTEST_SKIP() << "this processor has no bf16";
  Training run(Precision::kBf16);
  const Score reported = run.run().test;
  Network again(run.network.exported(), {});
  const Score score = evaluate(again, run.test);
  EXPECT_EQ(score.loss, reported.loss);
  EXPECT_EQ(score.error, reported.error);
}

TEST(Bf16, GoesOnWithTheSameBits) {
  if (!has_bf16()) GTEST_SKIP() << "this processor has no bf16";
  Training whole(Precision::kBf16);
  std::map<std::string, torch::Tensor> middle;
  Observer observer;
  observer.between_steps = [&] {
    if (whole.trainer.samples_done() == 350) middle = whole.trainer.state();
  };
  whole.trainer.run(observer);
  ASSERT_FALSE(middle.empty());
  Training again(Precision::kBf16);
  again.trainer.load(middle);
  again.trainer.run({});
  EXPECT_TRUE(again.network.parameters().equal(whole.network.parameters()));

  Training other(Precision::kFloat32);
  EXPECT_EQ(message_of<FormatError>([&] { other.trainer.load(middle); }),
            "[train] the state is of a run in another precision");
  middle.erase("precision");  // as those saved before there was a choice
  other.trainer.load(middle);
}

TEST(Bf16, IsWhatATeacherComputesInToo) {
  if (!has_bf16()) GTEST_SKIP() << "this processor has no bf16";
  Network teacher(make_network("lenet5", {.center = "none", .seed = 1}), {});
  teacher.set_training(false);
  const torch::Tensor input = torch::rand({4, 1, 28, 28});
  const torch::Tensor logits = torch::zeros({4, 10});
  const Distillation all{.teacher = &teacher, .share = 1.0, .temperature = 1.0};
  const auto loss = [&](Precision precision) {
    return distilled(all, input, logits, torch::zeros({}), precision).item<double>();
  };
  EXPECT_NE(loss(Precision::kBf16), loss(Precision::kFloat32));
  EXPECT_NEAR(loss(Precision::kBf16), loss(Precision::kFloat32), 0.01);
}

TEST(OnAGpu, EveryPrecisionIsNearFloat32OnTheCpu) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  for (const char* name : {"lenet5", "resnet20", "resnet18"}) {
    SCOPED_TRACE(name);
    const Graph graph = make_network(name, options_of(name));
    const Pass expected = pass(graph, Precision::kFloat32, {});
    for (const auto& [precision, tolerance] : {std::pair{Precision::kFloat32, 1e-4},
                                               std::pair{Precision::kTf32, 2e-2},
                                               std::pair{Precision::kBf16, 0.1}}) {
      SCOPED_TRACE(tolerance);
      const Pass here = pass(graph, precision, {}, torch::kCUDA);
      EXPECT_LE(distance(here.logits, expected.logits), tolerance);
      EXPECT_GE(cosine(here.gradients, expected.gradients), 0.9);
    }
  }
}

TEST(Tf32, IsAllowedForAsLongAsItsScopeLives) {
  const at::Context& context = at::globalContext();
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  {
    const Tf32Scope scope(Precision::kTf32);
    EXPECT_TRUE(context.allowTF32CuBLAS());
    EXPECT_TRUE(context.allowTF32CuDNN());
    const Tf32Scope within(Precision::kBf16);
  }
  EXPECT_FALSE(context.allowTF32CuBLAS());
  EXPECT_FALSE(context.allowTF32CuDNN());
  const Tf32Scope scope(Precision::kFloat32);
  EXPECT_FALSE(context.allowTF32CuBLAS());
}

TEST(Precision, IsReadFromText) {
  EXPECT_EQ(parse_precision("float32"), Precision::kFloat32);
  EXPECT_EQ(parse_precision("tf32"), Precision::kTf32);
  EXPECT_EQ(parse_precision("bf16"), Precision::kBf16);
  EXPECT_EQ(message_of<InputError>([] { parse_precision("fp16"); }),
            "[precision] 'fp16' is not known, expected one of: float32, tf32, bf16");
}

TEST(Precision, IsRefusedWhereTheDeviceHasNone) {
  EXPECT_EQ(message_of<InputError>([] { require_precision(Precision::kTf32, torch::kCPU); }),
            "[precision] tf32 is for CUDA devices, expected float32 or bf16 on the CPU");
  EXPECT_EQ(message_of<InputError>([] { Training{Precision::kTf32}; }),
            "[precision] tf32 is for CUDA devices, expected float32 or bf16 on the CPU");
  for (const Precision precision : {Precision::kFloat32, Precision::kTf32, Precision::kBf16}) {
    EXPECT_NO_THROW(require_precision(precision, torch::kCUDA));
  }
}

}  // namespace
}  // namespace lastbit
