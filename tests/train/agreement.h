#pragma once

#include <vector>

#include "support.h"
#include "tests/runtime/reference.h"

namespace lastbit {

/// Expects the network under LibTorch to give what a plain evaluation in double precision gives, up
/// to the rounding that it derives, and what the runtime gives within 1e-4.
inline void expect_agreement(const Graph& graph, Random& random) {
  const std::int64_t batch = graph.inputs[0].dims[0].known() ? graph.inputs[0].dims[0].size : 2;
  Session session(graph, {.batch = batch});
  const auto inputs = reference::random_inputs(session, random);
  const auto by_runtime = reference::run(session, inputs);
  const reference::Arrays exact = reference::evaluate(graph, batch, inputs);

  Network network(graph, {});
  network.set_training(false);
  const torch::NoGradGuard no_gradient;
  const torch::Tensor output =
      network.forward(torch::tensor(inputs[0]).view(session.inputs()[0].shape));
  const reference::Array& expected = exact.at(graph.outputs[0].name);
  ASSERT_EQ(output.sizes().vec(), expected.shape);
  const std::vector<float> values = vector_of(output);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const reference::Number& number = expected.data[i];
    ASSERT_NEAR(values[i], number.value, number.error + 1e-37) << i << " of " << values.size();
    ASSERT_NEAR(values[i], by_runtime[0][i], 1e-4 * (1.0 + std::abs(number.value))) << i;
  }
}

}  // namespace lastbit
