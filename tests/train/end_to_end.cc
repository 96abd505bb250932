#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "lastbit/graph/onnx.h"
#include "lastbit/method/admm.h"
#include "lastbit/runtime/session.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/trainer.h"
#include "support.h"

// Train, compress, write, read, run: the runtime's error equals the trainer's.

namespace lastbit {
namespace {

double error_in_runtime(const Graph& graph, const DatasetSource& data) {
  const std::int64_t size = data.size();
  Session session(graph, {.batch = size});
  std::vector<std::int64_t> indices(static_cast<std::size_t>(size));
  std::iota(indices.begin(), indices.end(), 0);
  std::vector<float> input(static_cast<std::size_t>(size * element_count(data.sample_shape())));
  data.gather(indices, input);
  std::vector<float> output(static_cast<std::size_t>(size) * 10);
  const std::span<const float> in = input;
  const std::span<float> out = output;
  session.run({&in, 1}, {&out, 1});
  std::int64_t misses = 0;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const auto row = output.begin() + static_cast<std::ptrdiff_t>(10 * i);
    misses += std::max_element(row, row + 10) - row != data.labels()[i] ? 1 : 0;
  }
  return static_cast<double>(misses) / static_cast<double>(size);
}

class EndToEnd : public testing::TestWithParam<const char*> {};

TEST_P(EndToEnd, TheRuntimesErrorIsTheTrainers) {
  at::set_num_threads(1);
  const Graph graph = small_mlp();
  const Dataset digits = small_digits(2000, 500);
  Network network(graph, constraints(graph, GetParam()));
  const SampleBatches train(digits.train, network.sample_shape(), torch::kCPU);
  const SampleBatches test(digits.test, network.sample_shape(), torch::kCPU);
  Trainer(network, train, test, {.epochs = 2, .batch = 64}).run({});
  const auto admm = make_admm({.rho = Schedule::parse("1e-3..1e-1", "rho")});
  Trainer(network, train, test, {.epochs = 2, .batch = 64, .learning_rate = 0.02}, admm.get())
      .run({});
  const Score score = evaluate(network, test, admm->deployed());
  EXPECT_LT(score.error, 0.9) << "worse than guessing";

  for (const bool inline_decode : {false, true}) {
    const std::string bytes =
        serialize_onnx(network.exported(admm->deployed()), {.inline_decode = inline_decode});
    const Graph read = parse_onnx(std::as_bytes(std::span(bytes)));
    EXPECT_TRUE(std::holds_alternative<LowBitTensor>(*read.find_initializer("fc1.weight")));
    EXPECT_EQ(error_in_runtime(read, *digits.test), score.error);
  }
}

INSTANTIATE_TEST_SUITE_P(Train,
                         EndToEnd,
                         testing::Values("binary",
                                         "binary/channel",
                                         "ternary",
                                         "ternary/channel",
                                         "shift:1",
                                         "shift:1/channel",
                                         "shift:2",
                                         "shift:2/channel"));

}  // namespace
}  // namespace lastbit
