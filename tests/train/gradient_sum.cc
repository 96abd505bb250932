#include "lastbit/train/gradient_sum.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/train/evaluate.h"
#include "support.h"

namespace lastbit {
namespace {

// One worker that writes down which sums are started, and what they find.
class Recorder final : public Communicator {
 public:
  struct Start {
    std::int64_t begin;
    torch::Tensor found;
  };
  std::vector<Start> starts;

  int rank() const noexcept override { return 0; }
  int size() const noexcept override { return 1; }
  void sum(torch::Tensor /*tensor*/) override {}
  void start_sum(torch::Tensor tensor) override {
    starts.push_back({tensor.storage_offset(), tensor.clone()});
  }
  void finish_sums() override {}
  void broadcast(torch::Tensor /*tensor*/) override {}
};

Graph wide_mlp() {
  return make_network("mlp", {.input = {8}, .classes = 3, .hidden = {300, 300}, .center = "none"});
}

struct Pass {
  explicit Pass(Graph graph = wide_mlp(), std::vector<std::string> values = {})
      : network(std::move(graph), {}, torch::kCPU, std::move(values)), sum(workers, network) {}

  void backward() {
    torch::manual_seed(1);
    const torch::Tensor labels = torch::tensor({0, 1, 2, 1}, torch::kInt64);
    network.gradients().zero_();
    cross_entropy(network.forward(torch::randn({4, 8})), labels).loss.backward();
  }

  Recorder workers;
  Network network;
  GradientSum sum;
};

TEST(GradientSum, StartsEachPartOnceItsGradientsAreThere) {
  Pass pass;
  for (int repetition = 0; repetition < 2; ++repetition) {
    SCOPED_TRACE(repetition);
    pass.workers.starts.clear();
    pass.sum.begin();
    pass.backward();
    const std::vector<Recorder::Start> starts = pass.workers.starts;
    pass.sum.start_rest();
    EXPECT_EQ(pass.workers.starts.size(), starts.size());  // nothing was left

    ASSERT_GE(starts.size(), 3U);
    EXPECT_EQ(starts.front().begin, 8 * 300);  // the last matrices, which backward meets first
    EXPECT_EQ(starts.back().begin, 0);
    std::int64_t elements = 0;
    for (const auto& [begin, found] : starts) {
      elements += found.numel();
      EXPECT_GT(found.abs().sum().item<double>(), 0.0);
      EXPECT_TRUE(torch::equal(found, pass.network.gradients().narrow(0, begin, found.numel())));
    }
    EXPECT_EQ(elements, pass.network.gradients().numel());
  }
}

TEST(GradientSum, StartsAllInTheSameOrderWithoutABackwardPass) {
  Pass with;
  with.sum.begin();
  with.backward();
  Pass without;
  without.sum.begin();
  EXPECT_TRUE(without.workers.starts.empty());
  without.sum.start_rest();
  ASSERT_EQ(without.workers.starts.size(), with.workers.starts.size());
  for (std::size_t i = 0; i < with.workers.starts.size(); ++i) {
    EXPECT_EQ(without.workers.starts[i].begin, with.workers.starts[i].begin);
  }
}

// A second value reads the hidden layer; the loss does not, so its matrix has no gradient.
TEST(GradientSum, PutsOffWhatStandsBehindAParameterWithoutGradient) {
  Graph graph = wide_mlp();
  Node head;
  head.op = "MatMul";
  head.inputs = {graph.nodes.back().inputs[0], "head"};
  head.outputs = {"other"};
  graph.initializers.emplace("head", Tensor::floats({300, 300}, std::vector<float>(90'000, 1.0F)));
  graph.nodes.push_back(head);
  graph.outputs.push_back({.name = "other", .dims = graph.outputs[0].dims});
  graph.outputs.back().dims.back() = Dim{300};

  const std::vector<std::string> values = {graph.outputs[0].name, "other"};
  Pass pass(std::move(graph), values);
  pass.sum.begin();
  pass.backward();
  EXPECT_TRUE(pass.workers.starts.empty());
  pass.sum.start_rest();
  std::int64_t elements = 0;
  for (const auto& [begin, found] : pass.workers.starts) {
    elements += found.numel();
    EXPECT_TRUE(torch::equal(found, pass.network.gradients().narrow(0, begin, found.numel())));
  }
  EXPECT_EQ(elements, pass.network.gradients().numel());
}

TEST(GradientSum, IsAsIfNotThereForPassesThatAreNotItsOwn) {
  Pass pass;
  pass.backward();
  EXPECT_TRUE(pass.workers.starts.empty());
  {
    GradientSum second(pass.workers, pass.network);
    second.begin();
    pass.backward();
    second.start_rest();
  }
  const std::size_t starts = pass.workers.starts.size();
  EXPECT_GE(starts, 3U);
  pass.backward();
  EXPECT_EQ(pass.workers.starts.size(), starts);
}

}  // namespace
}  // namespace lastbit
