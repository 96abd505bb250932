#include "lastbit/zoo/zoo.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "reference.h"
#include "small_zoo.h"

// The networks of the zoo, as floats and with projected weights, against the reference.

namespace lastbit {
namespace {

class EverySet : public testing::TestWithParam<const char*> {};

TEST_P(EverySet, RunsTheZooAsTheReferenceDoes) {
  Random random(1);
  for (const std::string_view name : {"lenet300", "lenet5", "mlp"}) {
    SCOPED_TRACE(name);
    ZooOptions options{.center = "pixel", .seed = 7};
    if (name == "mlp") options.hidden = {65, 33};
    Graph graph = make_network(name, options);
    if (GetParam() != std::string("float")) graph = reference::quantized(graph, GetParam());
    const std::vector<float> mean = reference::random_floats(784, random);
    graph.initializers.insert_or_assign("input.mean", Tensor::floats({1, 28, 28}, mean));
    reference::expect_agreement(graph, random);
  }
}

TEST_P(EverySet, RunsDeepNetworksAsTheReferenceDoes) {
  Random random(3);
  for (const std::string_view name : {"resnet20", "mobilenetv2"}) {
    SCOPED_TRACE(name);
    Graph graph = make_network(name, {.input = {3, 8, 8}, .classes = 5, .seed = 7});
    if (GetParam() != std::string("float")) graph = reference::quantized(graph, GetParam());
    reference::expect_agreement(graph, random);
  }
}

TEST(Zoo, RunsItsLargestNetworksAsTheReferenceDoes) {
  Random random(4);
  for (const std::string_view name : {"alexnet", "googlenet", "resnet34", "resnet50"}) {
    SCOPED_TRACE(name);
    const Graph graph = make_network(name, reference::small_zoo(name));
    reference::expect_agreement(graph, random);
    reference::expect_agreement(reference::quantized(graph, "ternary/channel"), random);
  }
}

// Of the form for large images, whose pools keep a remainder at the border.
TEST(Zoo, RunsGoogLeNetOnLargeImagesAsTheReferenceDoes) {
  Random random(5);
  const Graph graph = make_network("googlenet", {.input = {3, 64, 65}, .seed = 7});
  reference::expect_agreement(reference::quantized(graph, "ternary/tensor"), random);
}

INSTANTIATE_TEST_SUITE_P(Zoo,
                         EverySet,
                         testing::Values("float",
                                         "binary/tensor",
                                         "ternary/tensor",
                                         "ternary/channel",
                                         "shift:1/none",
                                         "shift:2/channel",
                                         "ternary/group:16",
                                         "levels:-1,0,0.5,1/group:7",
                                         "kmeans:5"));

TEST(Zoo, RunsAtOddSizesAndBatches) {
  Random random(2);
  for (const std::int64_t batch : {2, 3}) {
    reference::expect_agreement(
        make_network("lenet5", {.input = {3, 17, 19}, .classes = 3, .activation = "tanh"}),
        random,
        {.batch = batch});
  }
}

}  // namespace
}  // namespace lastbit
