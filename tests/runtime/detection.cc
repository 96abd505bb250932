#include <algorithm>
#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/detect/box_coding.h"
#include "lastbit/detect/suppress.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/suppression.h"
#include "reference.h"

// The operators that a detector ends with.

namespace lastbit {
namespace {

using reference::node;
using reference::random_floats;
using reference::run;
using reference::single;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Inputs of a NonMaxSuppression node behind the scores; nothing where one is omitted.
struct Limits {
  std::optional<std::int64_t> most = {};
  std::optional<float> max_iou = {};
  std::optional<float> min_score = {};
};

// `size` boxes and scores of `classes` for `batch` images.
Graph suppression(std::int64_t batch,
                  std::int64_t classes,
                  std::int64_t size,
                  const Limits& limits,
                  bool centred = false) {
  Graph graph;
  graph.inputs = {reference::value("boxes", {batch, size, 4}),
                  reference::value("scores", {batch, classes, size})};
  Node suppress = node("NonMaxSuppression",
                       {"boxes", "scores"},
                       {{"center_point_box", std::int64_t{centred ? 1 : 0}}});
  const auto add = [&](const std::string& name, std::optional<Tensor> tensor) {
    suppress.inputs.push_back(tensor ? name : "");
    if (tensor) graph.initializers.emplace(name, *std::move(tensor));
  };
  const auto maybe = [](std::optional<float> number) {
    return number ? std::optional(Tensor::scalar(*number)) : std::nullopt;
  };
  add("most",
      limits.most ? std::optional(Tensor::int64s({1}, std::vector{*limits.most})) : std::nullopt);
  add("max_iou", maybe(limits.max_iou));
  add("min_score", maybe(limits.min_score));
  graph.nodes = {suppress};
  graph.outputs = {
      {.name = "y", .type = DType::kInt64, .dims = {{.size = -1, .symbol = "n"}, {3}}}};
  return graph;
}

using Rows = std::vector<std::array<int, 3>>;

Rows rows_of(const std::vector<float>& values) {
  Rows rows;
  for (std::size_t i = 0; i < selected_rows(values); ++i) {
    rows.push_back({static_cast<int>(values[3 * i]),
                    static_cast<int>(values[3 * i + 1]),
                    static_cast<int>(values[3 * i + 2])});
  }
  return rows;
}

// In the words of ONNX: for each image and class, the best box that is left is selected and strikes
// out all that overlap it by more than the threshold.
Rows by_striking_out(std::int64_t batch,
                     std::int64_t classes,
                     std::int64_t size,
                     const Limits& limits,
                     bool centred,
                     const std::vector<std::vector<float>>& inputs) {
  const auto box = [&](std::int64_t b, std::int64_t i) -> std::array<double, 4> {
    const float* at = inputs[0].data() + 4 * (b * size + i);
    if (centred) {
      return {at[0] - at[2] / 2.0, at[1] - at[3] / 2.0, at[0] + at[2] / 2.0, at[1] + at[3] / 2.0};
    }
    return {std::min(at[1], at[3]),
            std::min(at[0], at[2]),
            std::max(at[1], at[3]),
            std::max(at[0], at[2])};
  };
  const auto overlap = [&](const std::array<double, 4>& p, const std::array<double, 4>& q) {
    const double width = std::min(p[2], q[2]) - std::max(p[0], q[0]);
    const double height = std::min(p[3], q[3]) - std::max(p[1], q[1]);
    if (width <= 0 || height <= 0) return 0.0;
    const double both = width * height;
    return both / ((p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - both);
  };
  Rows rows;
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t c = 0; c < classes; ++c) {
      const float* scores = inputs[1].data() + (b * classes + c) * size;
      std::vector<bool> left(static_cast<std::size_t>(size), true);
      for (std::int64_t found = 0; found < limits.most.value_or(0); ++found) {
        std::int64_t best = -1;
        for (std::int64_t i = 0; i < size; ++i) {
          const bool counts = left[i] && (!limits.min_score || scores[i] > *limits.min_score);
          if (counts && (best < 0 || scores[i] > scores[best])) best = i;
        }
        if (best < 0) break;
        rows.push_back({static_cast<int>(b), static_cast<int>(c), static_cast<int>(best)});
        for (std::int64_t i = 0; i < size; ++i) {
          if (overlap(box(b, best), box(b, i)) > limits.max_iou.value_or(0.0F)) left[i] = false;
        }
        left[best] = false;
      }
    }
  }
  return rows;
}

TEST(NonMaxSuppression, IsThatOfStrikingOut) {
  Random random(1);
  for (int round = 0; round < 120; ++round) {
    const auto batch = 1 + static_cast<std::int64_t>(random.below(3));
    const auto classes = 1 + static_cast<std::int64_t>(random.below(3));
    const auto size = 1 + static_cast<std::int64_t>(random.below(25));
    Limits limits{.most = 1 + static_cast<std::int64_t>(random.below(30))};
    // No overlap of boxes with whole edges up to 8 is a number of so many digits.
    if (random.below(4) > 0) limits.max_iou = static_cast<float>(random.uniform());
    if (random.below(2) > 0) limits.min_score = static_cast<float>(random.below(8));
    const bool centred = random.below(2) == 1;
    Session session(suppression(batch, classes, size, limits, centred));
    EXPECT_EQ(session.outputs()[0].shape,
              (Shape{batch * classes * std::min(*limits.most, size), 3}));
    auto inputs = reference::random_inputs(session, random);
    for (float& edge : inputs[0]) edge = static_cast<float>(random.below(centred ? 4 : 8));
    for (float& score : inputs[1]) score = static_cast<float>(random.below(16));
    const std::vector<float> values = run(session, inputs)[0];
    EXPECT_EQ(rows_of(values), by_striking_out(batch, classes, size, limits, centred, inputs));
    for (std::size_t i = 3 * selected_rows(values); i < values.size(); ++i)
      EXPECT_EQ(values[i], -1);
    EXPECT_EQ(run(session, inputs)[0], values);
  }
}

// The example of ONNX's documentation: three boxes of [0, 1] and copies of two a little aside.
TEST(NonMaxSuppression, SelectsTheExampleOfOnnx) {
  const std::vector<float> boxes = {0, 0,  1, 1,  0, 0.1F,  1, 1.1F,  0, -0.1F, 1, 0.9F,
                                    0, 10, 1, 11, 0, 10.1F, 1, 11.1F, 0, 100,   1, 101};
  const std::vector<float> scores = {0.9F, 0.75F, 0.6F, 0.95F, 0.5F, 0.3F};
  Session session(suppression(1, 1, 6, {.most = 3, .max_iou = 0.5F, .min_score = 0.0F}));
  EXPECT_THAT(run(session, {boxes, scores})[0], ElementsAre(0, 0, 3, 0, 0, 0, 0, 0, 5));
  Session few(suppression(1, 1, 6, {.most = 4, .max_iou = 0.5F, .min_score = 0.4F}));
  EXPECT_THAT(run(few, {boxes, scores})[0], ElementsAre(0, 0, 3, 0, 0, 0, -1, -1, -1, -1, -1, -1));
}

template <typename Work>
std::string refusal(const Work& work) {
  try {
    work();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(NonMaxSuppression, SelectsIntegers) {
  const Session session(suppression(1, 2, 6, {.most = 3}));
  EXPECT_EQ(session.outputs()[0].type, DType::kInt64);
  EXPECT_EQ(session.inputs()[0].type, DType::kFloat);
}

TEST(NonMaxSuppression, NamesWhatDoesNotFit) {
  const auto refuse = [](const Graph& graph) { return refusal([&] { Session session(graph); }); };
  Graph graph = suppression(1, 2, 6, {.most = 3});
  graph.inputs[1] = reference::value("scores", {1, 2, 5});
  EXPECT_THAT(refuse(graph),
              HasSubstr("node 'NonMaxSuppression y' (NonMaxSuppression): boxes and scores have "
                        "shapes [1, 6, 4] and [1, 2, 5]"));
  graph.inputs[1] = reference::value("scores", {2, 6});
  EXPECT_THAT(refuse(graph), HasSubstr("and [2, 6]"));
  EXPECT_THAT(refuse(suppression(1, 2, 6, {})), HasSubstr("[0, 3], expected one element at least"));
  EXPECT_THAT(refuse(suppression(1, 2, 6, {.most = -5})), HasSubstr("[0, 3]"));
  graph = suppression(1, 2, 6, {.most = 3, .max_iou = 0.5F});
  graph.initializers.insert_or_assign("max_iou", Tensor::floats({2}, std::vector<float>{0.5F, 1}));
  EXPECT_THAT(refuse(graph), HasSubstr("input 4 ('max_iou') is not one float32"));
  graph.initializers.erase("max_iou");
  graph.inputs.push_back(reference::value("max_iou", {1}));
  EXPECT_THAT(refuse(graph), HasSubstr("value 'max_iou' is computed, expected a constant"));
  graph.initializers.erase("most");
  graph.inputs.back() = {.name = "most", .type = DType::kInt64, .dims = {{.size = 1}}};
  EXPECT_NE(refuse(graph), "no error");
  graph = suppression(1, 2, 6, {.most = 3});
  graph.nodes.push_back(node("Relu", {"y"}, {}, "z"));
  EXPECT_THAT(refuse(graph), HasSubstr("is read by node 'Relu z' (Relu)"));
  // The rows that a Gather would take for -1 are no selection.
  graph.initializers.emplace("table", Tensor::floats({2, 1}, std::vector<float>{0, 1}));
  graph.nodes.back() = node("Gather", {"table", "y"}, {}, "z");
  EXPECT_THAT(refuse(graph), HasSubstr("is read by node 'Gather z' (Gather)"));
  graph = suppression(1, 2, 6, {.most = 3}, true);
  graph.nodes[0].attributes["center_point_box"] = std::int64_t{2};
  EXPECT_THAT(refuse(graph), HasSubstr("'center_point_box' is 2, expected 0 to 1"));
}

TEST(NonMaxSuppression, IsReadBackFromAFile) {
  const Graph graph = suppression(1, 2, 6, {.most = 3, .max_iou = 0.5F});
  const std::string file = serialize_onnx(graph);
  const Graph back = parse_onnx(std::as_bytes(std::span(file)), "x");
  EXPECT_EQ(back.outputs[0].type, DType::kInt64);
  EXPECT_EQ(to_string(back.outputs[0].dims), "[n, 3]");
  Session first(graph);
  Session second(back);
  Random random(3);
  const auto inputs = reference::random_inputs(first, random);
  EXPECT_EQ(run(first, inputs), run(second, inputs));
}

// All that an SSD does behind its convolutions, against lastbit/detect.
TEST(NonMaxSuppression, EndsADetectorAsDetectDoes) {
  constexpr std::int64_t kCount = 8 * 8 * 4 + 4 * 4 * 4;
  constexpr std::int64_t kClasses = 3;
  const std::vector<std::int64_t> sides = {8, 4};
  const std::vector<std::vector<double>> ratios = {{2.0}, {2.0}};
  const std::vector<CentredBox> priors =
      make_priors(scaled_prior_maps(sides, ratios, 0.2, 0.4, 0.6));
  ASSERT_EQ(priors.size(), static_cast<std::size_t>(kCount));
  std::vector<float> middles;
  std::vector<float> sizes;
  for (const CentredBox& prior : priors) {
    middles.insert(middles.end(), {prior.x, prior.y});
    sizes.insert(sizes.end(), {prior.width, prior.height});
  }
  const auto ints = [](std::vector<std::int64_t> values) {
    return Tensor::int64s({static_cast<std::int64_t>(values.size())}, values);
  };
  Graph graph =
      suppression(1, kClasses, kCount, {.most = 20, .max_iou = 0.45F, .min_score = 0.3F}, true);
  Node last = graph.nodes[0];
  graph.inputs = {reference::value("offsets", {1, kCount, 4}),
                  reference::value("logits", {1, kCount, kClasses + 1})};
  graph.initializers.emplace("middles", Tensor::floats({1, kCount, 2}, middles));
  graph.initializers.emplace("sizes", Tensor::floats({1, kCount, 2}, sizes));
  graph.initializers.emplace("centre", Tensor::scalar(0.1F));
  graph.initializers.emplace("size", Tensor::scalar(0.2F));
  graph.initializers.emplace("0", ints({0}));
  graph.initializers.emplace("1", ints({1}));
  graph.initializers.emplace("2", ints({2}));
  graph.initializers.emplace("4", ints({4}));
  graph.nodes = {
      node("Slice", {"offsets", "0", "2", "2"}, {}, "moves"),
      node("Slice", {"offsets", "2", "4", "2"}, {}, "growth"),
      node("Mul", {"moves", "centre"}, {}, "moves1"),
      node("Mul", {"moves1", "sizes"}, {}, "moves2"),
      node("Add", {"moves2", "middles"}, {}, "centres"),
      node("Mul", {"growth", "size"}, {}, "growth1"),
      node("Exp", {"growth1"}, {}, "growth2"),
      node("Mul", {"growth2", "sizes"}, {}, "extents"),
      node("Concat", {"centres", "extents"}, {{"axis", std::int64_t{2}}}, "boxes"),
      node("Softmax", {"logits"}, {{"axis", std::int64_t{2}}}, "shares"),
      node("Slice", {"shares", "1", "4", "2"}, {}, "objects"),
      node("Transpose", {"objects"}, {{"perm", std::vector<std::int64_t>{0, 2, 1}}}, "scores"),
      last};
  Session session(graph);
  Random random(4);
  for (int round = 0; round < 5; ++round) {
    auto inputs = reference::random_inputs(session, random);
    for (float& logit : inputs[1]) logit *= 3.0F;
    const Rows ours = rows_of(run(session, inputs)[0]);

    std::vector<Box> boxes;
    for (std::size_t i = 0; i < priors.size(); ++i) {
      boxes.push_back(decode_box(
          std::span<const float, 4>(inputs[0].data() + 4 * i, 4), priors[i], Variances{}));
    }
    Rows expected;
    for (int c = 0; c < kClasses; ++c) {
      std::vector<float> scores;
      for (std::size_t i = 0; i < priors.size(); ++i) {
        const float* logits = inputs[1].data() + (kClasses + 1) * i;
        double sum = 0.0;
        for (int k = 0; k <= kClasses; ++k) sum += std::exp(double{logits[k]});
        scores.push_back(static_cast<float>(std::exp(double{logits[c + 1]}) / sum));
      }
      std::vector<std::int32_t> order(boxes.size());
      order.resize(
          suppress(boxes, scores, {.max_iou = 0.45, .min_score = 0.3F, .most = 20}, order));
      for (const std::int32_t i : order) expected.push_back({0, c, i});
    }
    EXPECT_GT(ours.size(), 10U);
    EXPECT_EQ(ours, expected);
  }
}

TEST(Functions, AreThoseOfTheStandardLibrary) {
  for (const char* const op : {"Exp", "Sqrt"}) {
    Session session(single({3, 2000}, {node(op, {"x"})}));
    Random random(5);
    std::vector<std::vector<float>> inputs = {random_floats(6000, random, 20.0)};
    const bool root = op == std::string("Sqrt");
    if (root) std::ranges::transform(inputs[0], inputs[0].begin(), [](float x) { return x * x; });
    const std::vector<float> values = run(session, inputs)[0];
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double exact = root ? std::sqrt(double{inputs[0][i]}) : std::exp(double{inputs[0][i]});
      // glibc's functions are off by less than a unit in the last place.
      EXPECT_NEAR(values[i], exact, exact * 0x1p-23);
    }
  }
}

TEST(Reductions, AreThoseOfEveryIndex) {
  Random random(6);
  const Shape shape = {3, 4, 1, 5};
  for (const std::string op : {"ReduceMax", "ReduceSum", "ReduceL2"}) {
    for (unsigned subset = 0; subset < 16; ++subset) {
      std::vector<std::int64_t> axes;
      for (std::int64_t axis = 0; axis < 4; ++axis) {
        if ((subset >> axis & 1U) != 0) axes.push_back(axis % 2 == 0 ? axis : axis - 4);
      }
      Graph graph = single(shape, {});
      const bool as_input = subset % 2 == 1;
      if (as_input) {
        graph.initializers.emplace("axes",
                                   Tensor::int64s({static_cast<std::int64_t>(axes.size())}, axes));
        graph.nodes = {node(op, {"x", "axes"})};
      } else {
        graph.nodes = {node(op, {"x"}, {{"axes", axes}})};
      }
      Session session(graph);
      const auto inputs = reference::random_inputs(session, random);
      const std::vector<float> values = run(session, inputs)[0];
      const unsigned reduced = subset == 0 ? 15U : subset;
      Shape expected_shape = shape;
      for (std::size_t axis = 0; axis < 4; ++axis) {
        if ((reduced >> axis & 1U) != 0) expected_shape[axis] = 1;
      }
      ASSERT_EQ(session.outputs()[0].shape, expected_shape);
      std::vector<double> expected(values.size(), op == "ReduceMax" ? -1e9 : 0.0);
      for (std::int64_t i = 0; i < 60; ++i) {
        const std::int64_t index[] = {i / 20, i / 5 % 4, 0, i % 5};
        std::int64_t at = 0;
        for (std::size_t axis = 0; axis < 4; ++axis) {
          at = at * expected_shape[axis] + ((reduced >> axis & 1U) != 0 ? 0 : index[axis]);
        }
        const double x = inputs[0][i];
        if (op == "ReduceMax") expected[at] = std::max(expected[at], x);
        if (op == "ReduceSum") expected[at] += x;
        if (op == "ReduceL2") expected[at] += x * x;
      }
      for (std::size_t k = 0; k < values.size(); ++k) {
        const double exact = op == "ReduceL2" ? std::sqrt(expected[k]) : expected[k];
        EXPECT_NEAR(values[k], exact, 0x1p-24 * std::max(1.0, std::abs(exact)));
      }
    }
  }
}

// As behind conv4_3: values that lie channels last.
TEST(Reductions, OfAConvolutionsChannels) {
  Random random(7);
  Graph graph = single({2, 3, 6, 5}, {});
  reference::add_random(graph, "w", {8, 3, 1, 1}, random);
  graph.nodes = {node("Conv", {"x", "w"}, {}, "h"),
                 node("ReduceL2", {"h"}, {{"axes", std::vector<std::int64_t>{1}}}, "length"),
                 node("Div", {"h", "length"})};
  Session session(graph);
  const auto inputs = reference::random_inputs(session, random);
  const std::vector<float> values = run(session, inputs)[0];
  for (std::size_t i = 0; i < 30; ++i) {
    double sum = 0.0;
    for (std::size_t c = 0; c < 8; ++c) sum += std::pow(values[30 * c + i], 2.0);
    EXPECT_NEAR(sum, 1.0, 1e-6);
  }
}

TEST(Reductions, NameWhatIsNotSupported) {
  const auto refuse = [](std::map<std::string, Attribute, std::less<>> attributes) {
    const Graph graph = single({2, 3}, {node("ReduceMax", {"x"}, std::move(attributes))});
    return refusal([&] { Session session(graph); });
  };
  EXPECT_THAT(refuse({{"keepdims", std::int64_t{0}}}),
              HasSubstr("'keepdims' is 0, expected 1 to 1"));
  EXPECT_THAT(refuse({{"axes", std::vector<std::int64_t>{2}}}), HasSubstr("axis 2 is not an axis"));
}

}  // namespace
}  // namespace lastbit
