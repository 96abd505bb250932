#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/runtime/kernels/kernel_set.h"
#include "lastbit/zoo/zoo.h"
#include "random_windows.h"
#include "reference.h"
#include "small_zoo.h"

// Values between convolutions that a Clip bounds, which lie as bytes of a known step in the mode of
// 8-bit activations.

namespace lastbit {
namespace {

using reference::add_random;
using reference::node;
using reference::random_floats;
using reference::single;

using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

SessionOptions int8_with(const KernelSet& kernels) {
  return {.activations = Activations::kInt8, .kernels = kernels.name};
}

const KernelSet& set_of(std::size_t round) {
  return *runnable_kernels()[round % runnable_kernels().size()];
}

// A ternary 1 x 1 convolution "one" from `from` to `to` that changes nothing; with it, what it
// reads as integers can be seen.
void add_identity(Graph& graph,
                  std::int64_t channels,
                  std::size_t rank,
                  const std::string& from,
                  const std::string& to) {
  Shape shape = {channels, channels};
  shape.insert(shape.end(), rank, 1);
  Floats weights(static_cast<std::size_t>(channels * channels), 0.0F);
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    weights[c * static_cast<std::size_t>(channels) + c] = 1.0F;
  }
  Graph alone = single({1, channels}, {node("Conv", {"x", "one"})});
  alone.initializers.insert_or_assign("one", Tensor::floats(shape, weights));
  alone = reference::quantized(alone, "ternary/none");
  graph.initializers.insert_or_assign("one", alone.initializers.at("one"));
  graph.nodes.push_back(node("Conv", {from, "one"}, {}, to));
}

void add_clip(
    Graph& graph, const std::string& from, const std::string& to, float least, float most) {
  graph.initializers.insert_or_assign(to + " least", Tensor::scalar(least));
  graph.initializers.insert_or_assign(to + " most", Tensor::scalar(most));
  graph.nodes.push_back(node("Clip", {from, to + " least", to + " most"}, {}, to));
}

// Each value is a whole number of steps.
void expect_steps(const Floats& values, float step) {
  for (const float v : values) ASSERT_NEAR(v / step, std::nearbyint(v / step), 1e-3) << v;
}

// `got` is `expected` made bytes. Where two bytes are equally near, rounding errors decide.
void expect_bytes(const Floats& got, const reference::Array& expected, float most) {
  const float step = most / 255.0F;
  ASSERT_EQ(got.size(), expected.data.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const reference::Number& number = expected.data[i];
    ASSERT_NEAR(got[i], number.value, 0.5 * step + 2 * number.error + 1e-5 * most) << i;
  }
  expect_steps(got, step);
}

// The integers of each sample, as those of a range of their own stand for floats.
Floats rounded(const Floats& values, std::size_t samples) {
  Floats result;
  const std::size_t length = values.size() / samples;
  for (std::size_t s = 0; s < samples; ++s) {
    const auto part = std::span(values).subspan(s * length, length);
    const auto [least, most] = std::minmax_element(part.begin(), part.end());
    const float step = std::max(*most, -*least) / (*least < 0.0F ? 127.0F : 255.0F);
    for (const float v : part) {
      result.push_back(step == 0.0F ? 0.0F : step * std::nearbyint(v / step));
    }
  }
  return result;
}

TEST(Bytes, StandForWhatAClipBounds) {
  Random random(1);
  for (std::size_t round = 0; round < 120; ++round) {
    const std::size_t rank = 1 + round % 2;
    const reference::WindowCase one = reference::random_conv(random, rank);
    SCOPED_TRACE(testing::Message() << "round " << round << ": " << one.text);
    // Weights of the first convolution are floats in one half, so that its input is exact.
    Graph graph = round % 4 < 2 ? reference::quantized(one.graph, "ternary/tensor") : one.graph;
    const Shape weights = shape_of(*graph.find_initializer("w"));
    const auto groups = std::get<std::int64_t>(graph.nodes[0].attributes.at("group"));
    const bool filters = groups > 1 && weights[1] == 1 && weights[0] == groups;
    graph.nodes[0].outputs = {"c"};
    const float least = round % 3 == 0 ? 0.25F : 0.0F;
    const float most = 0.5F + static_cast<float>(round % 5);
    add_clip(graph, "c", "h", least, most);
    add_identity(graph, weights[0], rank, "h", "y");

    Session session(graph, int8_with(set_of(round)));
    const Shape& input = session.inputs()[0].shape;
    Floats x = random_floats(static_cast<std::size_t>(element_count(input)), random, 3.0);
    const Floats got = reference::run(session, {x})[0];
    if (round % 4 < 2 && !filters) x = rounded(x, static_cast<std::size_t>(input[0]));
    const reference::Array expected = reference::evaluate(graph, 1, {x}).at("h");
    // Groups of four inputs must not reach into the next pixel.
    if (weights[0] % 4 != 0 || filters) continue;
    expect_bytes(got, expected, most);
    if (testing::Test::HasFatalFailure()) return;
  }
}

struct Filter {
  Graph graph;  // filters "h" into "f", each channel by itself
  Shape input;
};

Filter random_filter(Random& random, std::int64_t channels) {
  const Ints kernel = reference::detail::random_ints(random, 2, 1, 5);
  const Ints dilations = reference::detail::random_ints(random, 2, 1, 2);
  Shape input = {2, channels};
  for (std::size_t i = 0; i < 2; ++i) {
    input.push_back((kernel[i] - 1) * dilations[i] + 1 +
                    static_cast<std::int64_t>(random.below(9)));
  }
  Filter result{single(input, {}), input};
  add_random(result.graph, "f weights", {channels, 1, kernel[0], kernel[1]}, random);
  add_random(result.graph, "f bias", {channels}, random);
  result.graph.nodes = {node("Conv",
                             {"h", "f weights", "f bias"},
                             {{"group", channels},
                              {"strides", reference::detail::random_ints(random, 2, 1, 3)},
                              {"dilations", dilations},
                              {"pads", reference::detail::random_ints(random, 4, 0, 3)}},
                             "f")};
  return result;
}

// The bytes that a first Clip makes of `x`.
Floats bytes_of(const Shape& shape, const Floats& x, float most, const SessionOptions& options) {
  Graph graph = single(shape, {});
  add_identity(graph, shape[1], 2, "x", "c");
  add_clip(graph, "c", "h", 0.0F, most);
  add_identity(graph, shape[1], 2, "h", "y");
  Session session(graph, options);
  return reference::run(session, {x})[0];
}

TEST(Bytes, AreReadAndWrittenByFiltersOfSingleChannels) {
  Random random(2);
  constexpr std::int64_t kChannels[] = {4, 16, 20, 32, 48, 300, 528};
  for (std::size_t round = 0; round < 70; ++round) {
    const std::int64_t channels = kChannels[round % std::size(kChannels)];
    const Filter filter = random_filter(random, channels);
    const SessionOptions options = int8_with(set_of(round / std::size(kChannels)));
    SCOPED_TRACE(testing::Message()
                 << "round " << round << ", " << options.kernels << ": "
                 << reference::detail::text_of(filter.input, filter.graph.nodes[0].attributes));
    const Floats x =
        random_floats(static_cast<std::size_t>(element_count(filter.input)), random, 6.0);
    const Floats seen = bytes_of(filter.input, x, 6.0F, options);

    Graph whole = single(filter.input, {});
    add_identity(whole, channels, 2, "x", "c");
    add_clip(whole, "c", "h", 0.0F, 6.0F);
    whole.nodes.push_back(filter.graph.nodes[0]);
    for (const auto& [name, value] : filter.graph.initializers) {
      whole.initializers.insert_or_assign(name, value);
    }
    Graph part = filter.graph;
    part.inputs[0].name = "h";
    if (round % 2 == 0) {
      for (Graph* graph : {&whole, &part}) add_clip(*graph, "f", "d", 0.0F, 4.0F);
      add_identity(whole, channels, 2, "d", "y");
    } else {
      whole.nodes.back().outputs = {"y"};
    }
    part.outputs[0].name = part.nodes.back().outputs[0];
    Session session(whole, options);
    const Floats got = reference::run(session, {x})[0];
    const reference::Array expected = reference::evaluate(part, 1, {seen}).at(part.outputs[0].name);
    if (round % 2 == 0) {
      expect_bytes(got, expected, 4.0F);
    } else {
      for (std::size_t i = 0; i < got.size(); ++i) {
        const reference::Number& number = expected.data[i];
        ASSERT_NEAR(got[i], number.value, 2 * number.error + 1e-5) << i;
      }
    }
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(Bytes, AreMultipliedExactly) {
  Random random(3);
  for (std::size_t round = 0; round < 40; ++round) {
    const Shape shape = {1 + static_cast<std::int64_t>(round % 2),
                         4 + 4 * static_cast<std::int64_t>(random.below(10)),
                         1 + static_cast<std::int64_t>(random.below(9)),
                         1 + static_cast<std::int64_t>(random.below(9))};
    const SessionOptions options = int8_with(set_of(round));
    SCOPED_TRACE(testing::Message() << "round " << round << ", " << options.kernels);
    const Floats x = random_floats(static_cast<std::size_t>(element_count(shape)), random, 7.0);
    const Floats seen = bytes_of(shape, x, 6.0F, options);
    Graph part = single(shape, {node("Conv", {"x", "w"}, {{"strides", Ints{1, 2}}})});
    add_random(
        part, "w", {1 + static_cast<std::int64_t>(random.below(70)), shape[1], 1, 1}, random);
    part = reference::quantized(part, "shift:2/channel");

    Graph whole = single(shape, {});
    add_identity(whole, shape[1], 2, "x", "c");
    add_clip(whole, "c", "h", 0.0F, 6.0F);
    whole.nodes.push_back(part.nodes[0]);
    whole.nodes.back().inputs[0] = "h";
    whole.initializers.insert_or_assign("w", part.initializers.at("w"));
    Session session(whole, options);
    const Floats got = reference::run(session, {x})[0];
    const reference::Array expected = reference::evaluate(part, 1, {seen}).at("y");
    for (std::size_t i = 0; i < got.size(); ++i) {
      const reference::Number& number = expected.data[i];
      ASSERT_NEAR(got[i], number.value, 2 * number.error + 1e-5) << i;
    }
  }
}

// What a value of the identity's is when it gets a range of its own.
void expect_own_range(const Graph& graph, const std::string& what) {
  SCOPED_TRACE(what);
  Random random(4);
  Graph shown = graph;
  shown.outputs.push_back(reference::value("h", {}));
  Session session(graph, {.activations = Activations::kInt8});
  Session showing(shown, {.activations = Activations::kInt8});
  const auto inputs = reference::random_inputs(session, random);
  const Floats got = reference::run(session, inputs)[0];
  const auto all = reference::run(showing, inputs);
  ASSERT_EQ(got, all[0]);
  const Floats expected = rounded(all.back(), 2);
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-5) << i;
}

TEST(Bytes, AreLeftWhereTheyWillNotDo) {
  Random random(5);
  Graph start = single({2, 8, 5, 6}, {node("Conv", {"x", "w"}, {}, "c")});
  add_random(start, "w", {8, 8, 1, 1}, random);
  const auto clipped = [&](float least, float most) {
    Graph graph = start;
    add_clip(graph, "c", "h", least, most);
    return graph;
  };
  Graph graph = clipped(-1.0F, 1.0F);
  add_identity(graph, 8, 2, "h", "y");
  expect_own_range(graph, "bounds of both signs");

  graph = clipped(0.0F, 1000.0F);
  add_identity(graph, 8, 2, "h", "y");
  expect_own_range(graph, "a bound far away");

  graph = clipped(0.0F, 1e-5F);
  add_identity(graph, 8, 2, "h", "y");
  expect_own_range(graph, "a bound next to 0");

  graph = clipped(0.0F, 1.0F);
  add_identity(graph, 8, 2, "h", "y");
  graph.nodes.push_back(node("Sigmoid", {"h"}, {}, "z"));
  graph.outputs.push_back(reference::value("z", {}));
  expect_own_range(graph, "another user");

  graph = clipped(0.0F, 1.0F);
  add_identity(graph, 8, 2, "h", "y");
  // The lower of two rows, of which the first has a border above.
  Floats lower(128, 0.0F);
  for (std::size_t c = 0; c < 8; ++c) lower[c * 16 + c * 2 + 1] = 1.0F;
  graph.initializers.insert_or_assign("one", Tensor::floats({8, 8, 2, 1}, lower));
  graph.nodes.back().attributes.emplace("pads", Ints{1, 0, 0, 0});
  graph = reference::quantized(graph, "ternary/tensor");
  expect_own_range(graph, "a border");
}

TEST(Bytes, DoNotDependOnThreadsOrTheBatch) {
  Random random(6);
  const Graph graph = reference::quantized(
      make_network("mobilenetv2", reference::small_zoo("mobilenetv2")), "ternary/channel");
  Session one(graph, {.batch = 3, .activations = Activations::kInt8});
  const auto inputs = reference::random_inputs(one, random);
  const auto expected = reference::run(one, inputs);
  for (const int threads : {2, 3, 8}) {
    Session session(graph, {.batch = 3, .threads = threads, .activations = Activations::kInt8});
    EXPECT_EQ(reference::run(session, inputs), expected) << threads;
  }
  Session single_sample(graph, {.activations = Activations::kInt8});
  const std::size_t length = inputs[0].size() / 3;
  const Floats first(inputs[0].begin(), inputs[0].begin() + static_cast<std::ptrdiff_t>(length));
  const Floats alone = reference::run(single_sample, {first})[0];
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), expected[0].begin()));
}

}  // namespace
}  // namespace lastbit
