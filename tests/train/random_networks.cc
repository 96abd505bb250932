#include <gtest/gtest.h>

#include "agreement.h"
#include "tests/runtime/random_network.h"
#include "tests/runtime/small_zoo.h"

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
    if (architecture.kind != NetworkKind::kClassifier) continue;
    SCOPED_TRACE(architecture.name);
    ZooOptions options = reference::small_zoo(architecture.name);
    options.center = "pixel";
    Graph graph = make_network(architecture.name, options);
    const auto count = static_cast<std::size_t>(element_count(options.input));
    graph.initializers.insert_or_assign(
        "input.mean", Tensor::floats(options.input, reference::random_floats(count, random)));
    expect_agreement(graph, random);
  }
}

}  // namespace
}  // namespace lastbit
