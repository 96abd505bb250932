#include <cmath>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/graph/parameters.h"
#include "lastbit/graph/products.h"
#include "lastbit/runtime/session.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::int64_t parameters(const Graph& graph) {
  std::int64_t count = 0;
  for (const Parameter& parameter : trainable_parameters(graph)) {
    count += element_count(parameter.shape);
  }
  return count;
}

std::string refusal(std::string_view network, const ZooOptions& options) {
  try {
    make_network(network, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::vector<std::string> names(const std::vector<Value>& values) {
  std::vector<std::string> result;
  for (const Value& value : values) result.push_back(value.name + to_string(value.dims));
  return result;
}

TEST(LanguageModels, HaveTheParametersOfThePaper) {
  // One bias a gate in the paper; ONNX has two. 66 million, 20 and 4.65 are its figures.
  const auto second_biases = [](std::int64_t units) { return 2 * 4 * units; };
  EXPECT_EQ(parameters(make_network("lstm-lm", {})), 4'651'600 + second_biases(200));
  EXPECT_EQ(parameters(make_network("lstm-lm", {.size = "medium"})),
            19'775'200 + second_biases(650));
  EXPECT_EQ(parameters(make_network("lstm-lm", {.size = "large"})),
            66'022'000 + second_biases(1500));
  // Tied, the second matrix of 200 x 10000 is the first.
  EXPECT_EQ(parameters(make_network("lstm-lm", {.tied = true})), 2'651'600 + second_biases(200));
  // Three quarters of the LSTMs'.
  EXPECT_EQ(parameters(make_network("gru-lm", {})),
            2'000'000 + 2'010'000 + 2 * 3 * 200 * (200 + 200 + 2));
  EXPECT_EQ(parameters(make_network("char-lstm", {.words = 66})),
            2 * 66 * 128 + 66 + 2 * 4 * 128 * (128 + 128 + 2));
}

TEST(LanguageModels, HaveTheEndsThatRunningNeeds) {
  const Graph graph = make_network("lstm-lm", {.words = 30, .units = 5});
  EXPECT_THAT(names(graph.inputs),
              ElementsAre("tokens[steps, batch]",
                          "hidden_1[1, batch, 5]",
                          "cell_1[1, batch, 5]",
                          "hidden_2[1, batch, 5]",
                          "cell_2[1, batch, 5]"));
  EXPECT_EQ(graph.inputs[0].type, DType::kInt64);
  EXPECT_THAT(names(graph.outputs),
              ElementsAre("logits[steps, batch, 30]",
                          "next_hidden_1[1, batch, 5]",
                          "next_cell_1[1, batch, 5]",
                          "next_hidden_2[1, batch, 5]",
                          "next_cell_2[1, batch, 5]"));
  const Graph gru = make_network("gru-lm", {.words = 30, .units = 5, .layers = 1});
  EXPECT_THAT(names(gru.inputs), ElementsAre("tokens[steps, batch]", "hidden_1[1, batch, 5]"));
  EXPECT_THAT(names(gru.outputs),
              ElementsAre("logits[steps, batch, 30]", "next_hidden_1[1, batch, 5]"));
}

TEST(LanguageModels, NameTheWeightsThatCanBeLowBit) {
  const auto layers = [](const Graph& graph) {
    std::vector<std::string> result;
    for (const WeightUse& use : lowbit_candidates(graph)) result.push_back(use.layer);
    return result;
  };
  EXPECT_THAT(layers(make_network("lstm-lm", {.words = 9, .units = 2, .layers = 1})),
              ElementsAre("embedding", "lstm1.input", "lstm1.recurrent", "softmax"));
  EXPECT_THAT(layers(make_network("gru-lm", {.words = 9, .units = 2, .layers = 1, .tied = true})),
              ElementsAre("embedding", "gru1.input", "gru1.recurrent"));
}

TEST(LanguageModels, DropBeforeEachLayerAndTheSoftmax) {
  const auto nodes = [](const ZooOptions& options) {
    std::vector<std::string> result;
    for (const Node& node : make_network("lstm-lm", options).nodes) result.push_back(node.name);
    return result;
  };
  EXPECT_THAT(nodes({.words = 9, .units = 2, .dropout = 0.3F}),
              ElementsAre("embedding",
                          "dropout1",
                          "lstm1",
                          "lstm1.squeeze",
                          "dropout2",
                          "lstm2",
                          "lstm2.squeeze",
                          "dropout3",
                          "softmax",
                          "softmax.add"));
  EXPECT_THAT(
      nodes({.words = 9, .units = 2, .layers = 1, .tied = true}),
      ElementsAre(
          "embedding", "lstm1", "lstm1.squeeze", "softmax.transpose", "softmax", "softmax.add"));
  const Graph medium = make_network("lstm-lm", {.size = "medium", .words = 9, .units = 2});
  EXPECT_EQ(decode(*medium.find_initializer("dropout1.ratio")).as_floats()[0], 0.5F);
}

TEST(LanguageModels, DrawWeightsAsTheirPapers) {
  const auto largest = [](std::string_view network, const ZooOptions& options, const char* name) {
    const Tensor weights = decode(*make_network(network, options).find_initializer(name));
    float result = 0.0F;
    for (const float w : weights.as_floats()) result = std::max(result, std::abs(w));
    return result;
  };
  // The largest of n uniform draws is within 30 / n of the limit but once in e^30 times.
  const auto expect = [](float got, float limit, double draws) {
    EXPECT_LE(got, limit);
    EXPECT_GE(got, limit * (1.0 - 30.0 / draws));
  };
  for (const char* const name : {"embedding.weight", "softmax.weight"}) {
    expect(largest("lstm-lm", {.words = 100}, name), 0.1F, 20'000);
  }
  expect(largest("lstm-lm", {}, "lstm2.recurrent.weight"), 0.1F, 160'000);
  expect(largest("gru-lm", {.size = "medium", .words = 9}, "gru1.input.weight"), 0.05F, 1'267'500);
  expect(largest("char-lstm", {}, "lstm1.input.weight"), 0.08F, 65'536);
  for (const char* const name : {"lstm1.bias", "softmax.bias"}) {
    EXPECT_EQ(largest("lstm-lm", {.words = 9}, name), 0.0F);
  }
}

TEST(LanguageModels, CountTheirProducts) {
  const Graph graph = make_network("lstm-lm", {});
  // A token: two layers of 4 * 200 * 400, and the softmax.
  EXPECT_EQ(product_count(graph, infer_shapes(graph, 1, {{"steps", 3}, {"batch", 2}})),
            6 * (2 * 320'000.0 + 2'000'000.0));
}

// In pieces, with the state carried over, results are those of the whole.
TEST(LanguageModels, GoOnWhereTheyEnded) {
  for (const char* const name : {"lstm-lm", "gru-lm"}) {
    for (const bool tied : {false, true}) {
      SCOPED_TRACE(name);
      const Graph graph = make_network(name, {.words = 20, .units = 8, .tied = tied});
      Session whole(graph, {.sizes = {{"steps", 6}, {"batch", 1}}});
      Session piece(graph, {.sizes = {{"steps", 2}, {"batch", 1}}});
      const std::vector<float> tokens = {3, 19, 0, 7, 7, 4};
      const auto run =
          [](Session& session, std::span<const float> in, std::vector<std::vector<float>>& states) {
            std::vector<float> logits(in.size() * 20);
            std::vector<std::span<const float>> inputs = {in};
            std::vector<std::span<float>> outputs = {logits};
            for (std::vector<float>& state : states) {
              inputs.emplace_back(state);
              outputs.emplace_back(state);
            }
            session.run(inputs, outputs);
            return logits;
          };
      const std::size_t count = whole.inputs().size() - 1;
      std::vector<std::vector<float>> states(count, std::vector<float>(8));
      const std::vector<float> expected = run(whole, tokens, states);
      std::vector<std::vector<float>> carried(count, std::vector<float>(8));
      for (std::size_t begin = 0; begin < 6; begin += 2) {
        const auto got = run(piece, std::span(tokens).subspan(begin, 2), carried);
        for (std::size_t i = 0; i < got.size(); ++i) {
          ASSERT_NEAR(got[i], expected[begin * 20 + i], 1e-5);
        }
      }
      EXPECT_NE(expected[0], expected[1]);
    }
  }
}

TEST(LanguageModels, RefuseOptionsThatDoNotFit) {
  EXPECT_THAT(refusal("lstm-lm", {.words = 1}), HasSubstr("the number of words is 1"));
  EXPECT_THAT(refusal("lstm-lm", {.units = -4}), HasSubstr("the number of units is -4"));
  EXPECT_THAT(refusal("lstm-lm", {.layers = 65}), HasSubstr("layers is 65, expected 1, ..., 64"));
  EXPECT_THAT(refusal("lstm-lm", {.dropout = 1.0F}), HasSubstr("0 <= dropout < 1"));
  EXPECT_THAT(refusal("lstm-lm", {.dropout = std::nanf("")}), HasSubstr("0 <= dropout < 1"));
  EXPECT_THAT(refusal("char-lstm", {.size = "large"}), HasSubstr("expected small or medium"));
  EXPECT_THAT(refusal("lstm-lm", {.words = 2'000'000'000}), HasSubstr("[2000000000, 200]"));
  EXPECT_THAT(refusal("lstm-lm", {.units = 2'000'000'000}), HasSubstr("weights"));
  EXPECT_THAT(refusal("lstm-lm", {.input = {3, 32, 32}}), HasSubstr("input shape [3, 32, 32]"));
  EXPECT_THAT(refusal("lstm-lm", {.classes = 5}), HasSubstr("a number of classes"));
  EXPECT_THAT(refusal("lstm-lm", {.hidden = {5}}), HasSubstr("hidden widths"));
  EXPECT_THAT(refusal("lstm-lm", {.activation = "tanh"}), HasSubstr("'tanh'"));
  EXPECT_THAT(refusal("lstm-lm", {.center = "pixel"}), HasSubstr("'pixel'"));
  EXPECT_THAT(refusal("lstm-lm", {.shortcut = "pad"}), HasSubstr("'pad'"));
}

TEST(LanguageModels, LendTheirOptionsToNoOtherNetwork) {
  EXPECT_THAT(refusal("lenet5", {.size = "small"}), HasSubstr("lenet5: a size does not fit"));
  EXPECT_THAT(refusal("lenet5", {.words = 5}), HasSubstr("a number of words"));
  EXPECT_THAT(refusal("mlp", {.units = 5}), HasSubstr("a number of units"));
  EXPECT_THAT(refusal("mlp", {.layers = 5}), HasSubstr("a number of layers"));
  EXPECT_THAT(refusal("mlp", {.dropout = 0.5F}), HasSubstr("a dropout"));
  EXPECT_THAT(refusal("mlp", {.tied = true}), HasSubstr("tied weights"));
}

}  // namespace
}  // namespace lastbit
