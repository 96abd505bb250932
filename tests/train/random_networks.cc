#include <gtest/gtest.h>

#include "agreement.h"
#include "tests/runtime/random_network.h"

// Whole networks under LibTorch against a plain evaluation in double precision and the runtime.

namespace lastbit {
namespace {

TEST(Network, AgreesOnRandomNetworks) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    expect_agreement(reference::Generator(seed).network(), random);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(Network, AgreesOnTheZoo) {
  Random random(1);
  for (const Architecture& architecture : architectures()) {
    SCOPED_TRACE(architecture.name);
    ZooOptions options{.center = "pixel", .seed = 7};
    if (architecture.name == "mlp") options.hidden = {65, 33};
    Graph graph = make_network(architecture.name, options);
    graph.initializers.insert_or_assign(
        "input.mean", Tensor::floats({1, 28, 28}, reference::random_floats(784, random)));
    expect_agreement(graph, random);
  }
}

}  // namespace
}  // namespace lastbit
