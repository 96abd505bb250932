#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/detect/box_coding.h"
#include "lastbit/detect/suppress.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/parameters.h"
#include "lastbit/graph/products.h"
#include "lastbit/runtime/session.h"
#include "lastbit/runtime/suppression.h"
#include "lastbit/zoo/detector.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Graph make(std::string_view name, std::int64_t side, std::int64_t classes) {
  return make_network(name, {.input = {3, side, side}, .classes = classes});
}

// For the classes of VOC; made once, since it takes a second to draw its weights.
const Graph& vgg16() {
  static const Graph graph = make("ssd300-vgg16", 300, 20);
  return graph;
}

std::int64_t parameters(const Graph& graph) {
  std::int64_t count = 0;
  for (const Parameter& parameter : trainable_parameters(graph)) {
    count += element_count(parameter.shape);
  }
  return count;
}

double products(const Graph& graph) { return product_count(graph, infer_shapes(graph, 1)); }

std::string refusal(std::string_view network, const ZooOptions& options) {
  try {
    make_network(network, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

// The authors' program has 26,285,486 parameters for VOC; torchvision's table has 35,641,826 and
// 34.858 G multiplications for the 91 outputs of COCO.
TEST(Detectors, HaveThePublishedSizes) {
  EXPECT_EQ(parameters(vgg16()), 26285486);
  const Graph coco = make("ssd300-vgg16", 300, 90);
  EXPECT_EQ(parameters(coco), 35641826);
  EXPECT_NEAR(products(coco) * 1e-9, 34.858, 0.0005);
  EXPECT_EQ(products(vgg16()), 31373537792);
}

// Darknet's file of the reference network has 28 MB: these kernels, the classifier's 1024 x 1000,
// and some thousand biases and statistics.
TEST(Detectors, StandOnDarknetsTrunk) {
  const Graph graph = make("ssd300-darknet", 300, 20);
  std::int64_t trunk = 0;
  for (int layer = 1; layer <= 7; ++layer) {
    const auto* weight = graph.find_initializer("conv" + std::to_string(layer) + ".weight");
    ASSERT_NE(weight, nullptr);
    trunk += element_count(shape_of(*weight));
  }
  EXPECT_NEAR(4.0 * static_cast<double>(trunk + 1024 * 1000) / (1 << 20), 28.0, 0.5);
  EXPECT_EQ(parameters(graph), 11423358);
  EXPECT_EQ(products(graph), 1558512896);
}

TEST(Detectors, HaveTheEndsThatTheirReadersExpect) {
  for (const Architecture& detector : architectures()) {
    if (detector.kind != NetworkKind::kDetector) continue;
    SCOPED_TRACE(detector.name);
    const bool large = detector.name == "ssd300-vgg16";
    const Graph graph = large ? vgg16() : make(detector.name, detector.side, 20);
    const TypeMap types = infer_shapes(graph, 2);
    const std::int64_t priors = shape_of(*graph.find_initializer("priors"))[0];
    EXPECT_EQ(types.at("offsets").shape, (Shape{2, priors, 4}));
    EXPECT_EQ(types.at("class_logits").shape, (Shape{2, priors, 21}));
    ASSERT_EQ(graph.outputs.size(), 3U);
    EXPECT_EQ(graph.outputs[0].name, "boxes");
    EXPECT_EQ(types.at("boxes").shape, (Shape{2, priors, 4}));
    EXPECT_EQ(graph.outputs[1].name, "scores");
    EXPECT_EQ(types.at("scores").shape, (Shape{2, 20, priors}));
    EXPECT_EQ(graph.outputs[2].name, "selected");
    EXPECT_EQ(graph.outputs[2].type, DType::kInt64);
    std::set<std::string> names;
    for (const Node& node : graph.nodes) {
      EXPECT_TRUE(names.insert("node " + node.name).second) << node.name;
      EXPECT_TRUE(names.insert(node.outputs.at(0)).second) << node.outputs[0];
    }
    if (large) continue;  // 105 MB
    const std::string file = serialize_onnx(graph);
    EXPECT_EQ(parse_onnx(std::as_bytes(std::span(file))).nodes.size(), graph.nodes.size());
  }
}

TEST(Detectors, HoldThePriorsOfThePaper) {
  const std::vector<CentredBox> expected = make_priors(ssd300_prior_maps());
  ASSERT_EQ(expected.size(), 8732U);
  for (const Graph& graph : {vgg16(), make("ssd300-darknet", 300, 1)}) {
    const Tensor priors = decode(*graph.find_initializer("priors"));
    ASSERT_EQ(priors.shape(), (Shape{8732, 4}));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const std::span<const float> row = priors.as_floats().subspan(4 * i, 4);
      EXPECT_THAT(std::vector<float>(row.begin(), row.end()),
                  ElementsAre(expected[i].x, expected[i].y, expected[i].width, expected[i].height));
    }
  }
}

TEST(Detectors, TrainTheScaleOfConv4_3) {
  const Graph& graph = vgg16();
  const Tensor scale = decode(*graph.find_initializer("conv4_3.norm.weight"));
  EXPECT_EQ(scale.shape(), (Shape{512, 1, 1}));
  EXPECT_TRUE(std::ranges::all_of(scale.as_floats(), [](float x) { return x == 20.0F; }));
  EXPECT_TRUE(std::ranges::any_of(trainable_parameters(graph), [](const Parameter& parameter) {
    return parameter.initializer == "conv4_3.norm.weight" && !parameter.matrix;
  }));
  EXPECT_FALSE(std::ranges::any_of(trainable_parameters(graph), [](const Parameter& parameter) {
    return parameter.initializer == "priors" || parameter.initializer.starts_with("boxes");
  }));
}

/// What a detector gives for one image: its ends, and what training looks at.
struct Found {
  std::vector<float> offsets, logits, boxes, scores, selected;
};

Found run(Graph graph, std::uint64_t seed) {
  const TypeMap types = infer_shapes(graph, 1);
  for (const char* name : {"offsets", "class_logits"}) {
    Value value{.name = name, .type = DType::kFloat, .dims = {}};
    for (const std::int64_t size : types.at(name).shape) value.dims.push_back({.size = size});
    graph.outputs.push_back(value);
  }
  Session session(graph);
  Random random(seed);
  std::vector<float> input(static_cast<std::size_t>(element_count(session.inputs()[0].shape)));
  for (float& x : input) x = static_cast<float>(random.uniform(0.0, 1.0));
  std::vector<std::vector<float>> outputs;
  for (const Port& port : session.outputs()) {
    outputs.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
  }
  const std::span<const float> in = input;
  const std::vector<std::span<float>> out(outputs.begin(), outputs.end());
  session.run({&in, 1}, out);
  return {outputs[3], outputs[4], outputs[0], outputs[1], outputs[2]};
}

// A float of size 1 and 20 roundings; boxes reach to about 10 where offsets are large.
constexpr double kTolerance = 20 * 0x1p-24;

TEST(Detectors, DecodeBoxesInTheFileAsDecodeBoxDoes) {
  constexpr std::int64_t kClasses = 3;
  const Graph graph = make("ssd-small", 96, kClasses);
  const Found found = run(graph, 1);
  const Tensor rows = decode(*graph.find_initializer("priors"));
  const std::span<const float> priors = rows.as_floats();
  const std::size_t count = priors.size() / 4;
  double farthest = 0.0;
  for (std::size_t i = 0; i < count; ++i) {
    const CentredBox prior{priors[4 * i], priors[4 * i + 1], priors[4 * i + 2], priors[4 * i + 3]};
    const Box box =
        decode_box(std::span<const float, 4>(found.offsets.data() + 4 * i, 4), prior, {});
    const std::array<float, 4> expected = {box.top, box.left, box.bottom, box.right};
    for (std::size_t k = 0; k < 4; ++k) {
      ASSERT_NEAR(found.boxes[4 * i + k],
                  expected[k],
                  kTolerance * (4.0 + std::abs(static_cast<double>(expected[k]))))
          << i << ", " << k;
      farthest = std::max(farthest, std::abs(static_cast<double>(found.offsets[4 * i + k])));
    }
    double sum = 0.0;
    const float* logits = found.logits.data() + i * (kClasses + 1);
    for (std::int64_t c = 0; c <= kClasses; ++c) sum += std::exp(static_cast<double>(logits[c]));
    for (std::int64_t c = 0; c < kClasses; ++c) {
      ASSERT_NEAR(found.scores[static_cast<std::size_t>(c) * count + i],
                  std::exp(static_cast<double>(logits[c + 1])) / sum,
                  kTolerance);
    }
  }
  EXPECT_GT(farthest, 0.5);
}

TEST(Detectors, SelectBoxesInTheFileAsSuppressDoes) {
  constexpr std::size_t kClasses = 3;
  const Found found = run(make("ssd-small", 96, kClasses), 2);
  const std::size_t count = found.boxes.size() / 4;
  std::vector<Box> boxes(count);
  for (std::size_t i = 0; i < count; ++i) {
    const float* box = found.boxes.data() + 4 * i;
    boxes[i] = {.left = box[1], .top = box[0], .right = box[3], .bottom = box[2]};
  }
  const DetectionLimits limits;
  std::vector<float> expected;
  for (std::size_t c = 0; c < kClasses; ++c) {
    std::vector<std::int32_t> order(count);
    const std::size_t stay =
        suppress(boxes,
                 {found.scores.data() + c * count, count},
                 {.max_iou = limits.max_iou, .min_score = limits.min_score, .most = limits.most},
                 order);
    for (std::size_t i = 0; i < stay; ++i) {
      expected.insert(expected.end(), {0.0F, static_cast<float>(c), static_cast<float>(order[i])});
    }
  }
  ASSERT_GT(expected.size(), 30U);
  const std::size_t rows = selected_rows(found.selected);
  EXPECT_EQ(std::vector<float>(found.selected.begin(),
                               found.selected.begin() + static_cast<std::ptrdiff_t>(3 * rows)),
            expected);
}

TEST(Detectors, AreSmallWhereTheirNameSaysSo) {
  const Graph graph = make("ssd-small", 160, 3);
  EXPECT_EQ(parameters(graph), 659312);
  EXPECT_EQ(products(graph), 102012928);
  EXPECT_EQ(shape_of(*graph.find_initializer("priors")), (Shape{2386, 4}));
}

TEST(Detectors, TakeWideImagesWhereTheyAreSmall) {
  const Graph graph = make_network("ssd-small", {.input = {3, 96, 128}, .classes = 2});
  const Tensor priors = decode(*graph.find_initializer("priors"));
  // 12 x 16, 6 x 8, 3 x 4 and 2 x 2 cells.
  EXPECT_EQ(priors.shape()[0], 4 * 12 * 16 + 6 * 6 * 8 + 6 * 3 * 4 + 4 * 2 * 2);
  EXPECT_EQ(priors.as_floats()[0], 0.5F / 16);
  EXPECT_EQ(priors.as_floats()[1], 0.5F / 12);
}

TEST(Detectors, KeepKernelsOfOnePixelInFloatWhereAsked) {
  const Graph graph = make("ssd-small", 96, 2);
  const std::vector<std::string> rules = {"ternary", "kernel:1x1=float"};
  for (const Constraint& constraint : choose_codebooks(graph, rules)) {
    const bool narrow = constraint.use.layer == "conv9_1" || constraint.use.layer == "conv10_1";
    EXPECT_EQ(constraint.set == nullptr, narrow) << constraint.use.layer;
  }
}

TEST(Detectors, RefuseWhatTheyAreNotMadeFor) {
  EXPECT_THAT(refusal("ssd300-vgg16", {.input = {3, 299, 300}}),
              HasSubstr("expected [3, 300, 300]"));
  EXPECT_THAT(refusal("ssd300-darknet", {.input = {1, 300, 300}}),
              HasSubstr("expected [3, 300, 300]"));
  EXPECT_THAT(refusal("ssd-small", {.input = {3, 63, 64}}), HasSubstr("sides of 64 pixels"));
  EXPECT_THAT(refusal("ssd-small", {.input = {3, 64, 64}, .classes = 0}),
              HasSubstr("expected at least 1"));
  EXPECT_THAT(refusal("ssd-small", {.input = {3, 64, 64}, .hidden = {4}}), HasSubstr("hidden"));
  EXPECT_THAT(refusal("ssd-small", {.input = {3, 64, 64}, .activation = "tanh"}),
              HasSubstr("'tanh' does not fit"));
  EXPECT_THAT(refusal("ssd-small", {.input = {3, 64, 64}, .shortcut = "pad"}),
              HasSubstr("shortcut"));
}

}  // namespace
}  // namespace lastbit
