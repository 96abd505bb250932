#include "lastbit/zoo/zoo.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/graph/onnx.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/trainer.h"
#include "support.h"
#include "tests/runtime/reference.h"
#include "tests/runtime/small_zoo.h"

// Every network of the zoo learns, and what is written of it computes the same.

namespace lastbit {
namespace {

constexpr std::int64_t kSamples = 4;

Graph written_and_read(const Graph& graph) {
  const std::string file = serialize_onnx(graph);
  return parse_onnx(std::as_bytes(std::span(file)));
}

// LibTorch and the runtime, on the samples that were trained on.
void expect_equal_outputs(const Graph& graph, const RandomSamples& samples) {
  Network network(graph, {});
  network.set_training(false);
  const torch::NoGradGuard no_gradient;
  Session session(written_and_read(graph), {.batch = kSamples});
  const std::vector<float> by_torch =
      vector_of(network.forward(torch::tensor(samples.values()).view(session.inputs()[0].shape)));
  const std::vector<float> by_runtime = reference::run(session, {samples.values()})[0];
  ASSERT_EQ(by_runtime.size(), by_torch.size());
  for (std::size_t i = 0; i < by_torch.size(); ++i) {
    ASSERT_NEAR(by_runtime[i], by_torch[i], 1e-4 * (1.0 + std::abs(by_torch[i]))) << i;
  }
}

TEST(Zoo, LearnsAStepAndIsWritten) {
  for (const Architecture& architecture : architectures()) {
    if (architecture.kind != NetworkKind::kClassifier) continue;
    SCOPED_TRACE(architecture.name);
    ZooOptions options = reference::small_zoo(architecture.name);
    // Batch norm needs more than the four values of a channel that one pixel a sample leaves.
    if (options.input[1] == 4) options.input = {3, 16, 16};
    const Graph before = make_network(architecture.name, options);
    Network network(before, {});
    const auto samples = std::make_shared<RandomSamples>(kSamples, options.input, options.classes);
    const SampleBatches data(samples, options.input, torch::kCPU);
    Trainer(network, data, data, {.epochs = 1, .batch = kSamples, .learning_rate = 0.01}).run({});

    const Graph after = network.exported();
    for (const Parameter& parameter : trainable_parameters(before)) {
      const Tensor now = decode(*after.find_initializer(parameter.initializer));
      EXPECT_NE(now, decode(*before.find_initializer(parameter.initializer)))
          << parameter.initializer;
      for (const float value : now.as_floats()) {
        ASSERT_TRUE(std::isfinite(value)) << parameter.initializer;
      }
    }
    expect_equal_outputs(after, *samples);
    expect_equal_outputs(project_weights(after, constraints(after, "ternary")), *samples);
  }
}

}  // namespace
}  // namespace lastbit
