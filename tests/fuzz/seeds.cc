#include "seeds.h"

#include <cstdint>
#include <map>
#include <utility>

#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/shapes.h"
#include "lastbit/quant/projector.h"
#include "lastbit/zoo/zoo.h"
#include "tests/runtime/reference.h"

namespace lastbit::fuzz {
namespace {

using Ints = std::vector<std::int64_t>;
using Attributes = std::map<std::string, Attribute, std::less<>>;

// A chain of nodes, each on the result of the one before.
class Chain {
 public:
  explicit Chain(const Shape& input) : random_(7) {
    Value x{.name = "x", .type = DType::kFloat, .dims = {{.size = -1, .symbol = "batch"}}};
    for (const std::int64_t size : input) x.dims.push_back({.size = size, .symbol = {}});
    graph_.inputs = {x};
  }

  Chain& then(const std::string& op,
              std::vector<std::string> more = {},
              Attributes attributes = {}) {
    more.insert(more.begin(), last_);
    last_ = cat("v", graph_.nodes.size());
    graph_.nodes.push_back({.name = op + last_,
                            .op = op,
                            .domain = {},
                            .inputs = std::move(more),
                            .outputs = {last_},
                            .attributes = std::move(attributes)});
    return *this;
  }

  const std::string& last() const { return last_; }

  std::string floats(const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (float& v : values) v = static_cast<float>(random_.uniform(0.1, 1.0));
    return keep(Tensor::floats(shape, values));
  }
  std::string scalar(float value) { return keep(Tensor::scalar(value)); }
  std::string ints(const Ints& values) {
    return keep(Tensor::int64s({static_cast<std::int64_t>(values.size())}, values));
  }
  std::string weights(const Shape& shape, int axis, const std::string& set) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (float& v : values) v = static_cast<float>(random_.uniform(-1.0, 1.0));
    return keep(pack_lowbit(
        parse_projector(set)->project(values, channel_layout(shape, axis)), shape, axis, set));
  }

  Graph graph() {
    Value value{.name = last_, .type = DType::kFloat, .dims = {}};
    const Shape shape = infer_shapes(graph_, 1).at(last_).shape;
    for (const std::int64_t size : shape) {
      value.dims.push_back({.size = size, .symbol = {}});
    }
    graph_.outputs = {std::move(value)};
    return graph_;
  }

 private:
  std::string keep(Initializer value) {
    const std::string name = cat("c", graph_.initializers.size());
    graph_.initializers.emplace(name, std::move(value));
    return name;
  }

  Random random_;
  Graph graph_;
  std::string last_ = "x";
};

Graph every_operator() {
  Chain c({3, 9, 8});
  c.then("Sub", {c.floats({3, 1, 1})});
  c.then("Conv", {c.floats({6, 3, 3, 2}), c.floats({6})}, {{"pads", Ints{1, 0, 1, 1}}});
  c.then("BatchNormalization", {c.floats({6}), c.floats({6}), c.floats({6}), c.floats({6})});
  c.then("Relu");
  const std::string branch = c.last();
  c.then("Conv",
         {c.floats({6, 2, 3, 3})},
         {{"group", std::int64_t{3}}, {"auto_pad", std::string("SAME_UPPER")}});
  c.then("Add", {branch});
  c.then("Clip", {c.scalar(0.0F), c.scalar(6.0F)});
  c.then("Conv",
         {c.floats({6, 1, 2, 3})},
         {{"group", std::int64_t{6}}, {"dilations", Ints{2, 1}}, {"pads", Ints{1, 1, 1, 1}}});
  c.then("MaxPool",
         {},
         {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 1}}, {"ceil_mode", std::int64_t{1}}});
  c.then("Concat", {c.last()}, {{"axis", std::int64_t{1}}});
  c.then("LeakyRelu", {}, {{"alpha", 0.1F}});
  c.then("AveragePool",
         {},
         {{"kernel_shape", Ints{2, 3}},
          {"pads", Ints{1, 1, 0, 1}},
          {"count_include_pad", std::int64_t{1}}});
  c.then("Pad", {c.ints({0, 1, 0, 0, 0, 0, 1, 2}), c.scalar(1.0F)});
  c.then("Slice", {c.ints({0, -1}), c.ints({12, -100}), c.ints({1, 3}), c.ints({1, -2})});
  c.then("Transpose", {}, {{"perm", Ints{0, 2, 3, 1}}});
  c.then("Softmax", {}, {{"axis", std::int64_t{-1}}});
  c.then("Transpose", {}, {{"perm", Ints{0, 3, 1, 2}}});
  c.then("GlobalAveragePool");
  c.then("Squeeze", {c.ints({2, 3})});
  c.then("Mul", {c.floats({12})});
  c.then("Gemm",
         {c.floats({5, 12}), c.floats({5})},
         {{"transB", std::int64_t{1}}, {"alpha", 0.5F}, {"beta", 2.0F}});
  c.then("Tanh");
  c.then("Unsqueeze", {c.ints({1})});
  c.then("Reshape", {c.ints({0, 5})});
  c.then("MatMul", {c.floats({5, 4})});
  c.then("Sigmoid");
  c.then("Div", {c.floats({1, 4})});
  c.then("Identity");
  c.then("Dropout");
  c.then("Flatten");
  c.then("LogSoftmax");
  return c.graph();
}

Graph of_set(const std::string& set, bool by_columns) {
  Chain c({4, 6, 5});
  c.then("Conv",
         {c.weights({8, 2, 3, 3}, 0, set)},
         {{"group", std::int64_t{2}}, {"pads", Ints{1, 1, 1, 1}}});
  c.then("Relu");
  c.then("Conv", {c.weights({5, 8, 1, 1}, 0, set), c.floats({5})}, {{"strides", Ints{2, 2}}});
  c.then("Flatten");
  if (by_columns) {
    c.then("MatMul", {c.weights({45, 7}, 1, set)});
    c.then("Add", {c.floats({7})});
  } else {
    c.then("Gemm", {c.weights({7, 45}, 0, set), c.floats({7})}, {{"transB", std::int64_t{1}}});
  }
  c.then("Softmax");
  return c.graph();
}

Graph of_rows() {
  Chain c({4, 12});
  c.then("Conv", {c.weights({6, 4, 3}, 0, "ternary/channel")}, {{"strides", Ints{2}}});
  c.then("MaxPool", {}, {{"kernel_shape", Ints{2}}});
  const std::string a = c.last();
  c.then("Transpose", {}, {{"perm", Ints{0, 2, 1}}});
  c.then("MatMul", {a});
  return c.graph();
}

}  // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> result = {serialize_onnx(every_operator()), serialize_onnx(of_rows())};
  for (const char* set : {"ternary",
                          "ternary/none",
                          "binary/channel",
                          "shift:2/channel",
                          "pow2:3/tensor",
                          "uniform:2/tensor",
                          "levels:-1,-0.25,0,0.5,1/channel",
                          "kmeans:4",
                          "kmeans:17",
                          "ternary/group:5",
                          "binary/group:3"}) {
    result.push_back(serialize_onnx(of_set(set, false)));
    result.push_back(serialize_onnx(of_set(set, true), {.inline_decode = true}));
  }
  result.push_back(serialize_onnx(make_network("mlp", {.input = {5}, .hidden = {6, 4}})));
  result.push_back(serialize_onnx(
      reference::quantized(make_network("resnet20", {.input = {3, 8, 8}}), "ternary")));
  return result;
}

}  // namespace lastbit::fuzz
