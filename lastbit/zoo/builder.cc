#include "lastbit/zoo/builder.h"

#include <algorithm>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr std::string_view kConvolution = "convolution";
constexpr std::string_view kPad = "pad";

void check_options(std::string_view network,
                   const ZooOptions& options,
                   std::int64_t least_classes) {
  if (options.classes < least_classes) {
    throw InputError(cat("[zoo] ",
                         network,
                         ": the number of classes is ",
                         options.classes,
                         ", expected at least ",
                         least_classes));
  }
  if (options.input.empty()) {
    throw InputError(
        cat("[zoo] ", network, ": the input shape is empty, expected one size or more"));
  }
  std::int64_t elements = 1;
  for (const std::int64_t size : options.input) {
    if (size < 1 || size > kMaxZooElements / elements) {
      throw InputError(cat("[zoo] ",
                           network,
                           ": the input shape is ",
                           to_string(options.input),
                           ", expected positive sizes with a product of at most ",
                           kMaxZooElements));
    }
    elements *= size;
  }
  if (!options.activation.empty() && options.activation != "tanh" && options.activation != "relu") {
    throw InputError(cat("[zoo] ",
                         network,
                         ": the activation is '",
                         options.activation,
                         "', expected 'tanh' or 'relu'"));
  }
  if (options.shortcut != kConvolution && options.shortcut != kPad) {
    throw InputError(cat("[zoo] ",
                         network,
                         ": the shortcut is '",
                         options.shortcut,
                         "', expected '",
                         kConvolution,
                         "' or '",
                         kPad,
                         "'"));
  }
}

Tensor filled(Shape shape, float value) {
  const std::vector<float> values(static_cast<std::size_t>(element_count(shape)), value);
  return Tensor::floats(std::move(shape), values);
}

// What is left out has ONNX's default.
std::map<std::string, Attribute, std::less<>> window_attributes(const SquareWindow& window) {
  using Sizes = std::vector<std::int64_t>;
  std::map<std::string, Attribute, std::less<>> result;
  result.emplace("kernel_shape", Sizes(2, window.kernel));
  if (window.stride != 1) result.emplace("strides", Sizes(2, window.stride));
  if (window.pad != 0) result.emplace("pads", Sizes(4, window.pad));
  if (window.dilation != 1) result.emplace("dilations", Sizes(2, window.dilation));
  if (window.ceil) result.emplace("ceil_mode", std::int64_t{1});
  return result;
}

}  // namespace

void refuse_hidden(std::string_view network, const ZooOptions& options) {
  if (options.hidden.empty()) return;
  throw InputError(cat("[zoo] ",
                       network,
                       ": hidden widths (",
                       join(options.hidden),
                       ") do not fit, its layers are fixed; expected none, or the network 'mlp'"));
}

void refuse_activation(std::string_view network, const ZooOptions& options) {
  if (options.activation.empty()) return;
  throw InputError(cat("[zoo] ",
                       network,
                       ": the activation '",
                       options.activation,
                       "' does not fit, its own is fixed; expected none"));
}

bool is_small_image(const ZooOptions& options) noexcept {
  constexpr std::int64_t kLarge = 64;
  return options.input.size() == 3 && std::min(options.input[1], options.input[2]) < kLarge;
}

NetworkBuilder::NetworkBuilder(std::string_view name,
                               const ZooOptions& options,
                               std::string_view default_activation,
                               std::int64_t least_classes)
    : network_(name),
      seed_(options.seed),
      activation_(options.activation.empty() ? std::string(default_activation)
                                             : options.activation),
      shortcut_(options.shortcut),
      sample_(options.input),
      last_("input") {
  check_options(name, options, least_classes);
  graph_.name = network_;
  Value input{.name = "input", .type = DType::kFloat, .dims = {{.size = -1, .symbol = "batch"}}};
  for (const std::int64_t size : sample_) input.dims.push_back({.size = size, .symbol = {}});
  graph_.inputs.push_back(std::move(input));
  add_center(options.center);
}

void NetworkBuilder::add_center(const std::string& center) {
  if (center == "none") return;
  Shape shape = sample_;
  if (center == "channel") {
    for (std::size_t axis = 1; axis < shape.size(); ++axis) shape[axis] = 1;
  } else if (center != "pixel") {
    throw InputError(cat("[zoo] ",
                         network_,
                         ": the center is '",
                         center,
                         "', expected 'none', 'channel' or 'pixel'"));
  }
  graph_.initializers.emplace("input.mean", filled(std::move(shape), 0.0F));
  append("center", "Sub", {"input.mean"}, {});
}

void NetworkBuilder::require_image(const std::string& layer, std::int64_t least) const {
  if (sample_.size() != 3) {
    throw InputError(cat("[zoo] ",
                         network_,
                         ": the input shape has ",
                         sample_.size(),
                         " axes, expected 3 (channels, height, width)"));
  }
  if (sample_[1] >= least && sample_[2] >= least) return;
  throw InputError(cat("[zoo] ",
                       network_,
                       ": the input is too small, ",
                       layer,
                       " gets ",
                       to_string(sample_),
                       " and needs at least ",
                       least,
                       " x ",
                       least));
}

void NetworkBuilder::slide(std::int64_t channels, const SquareWindow& window) {
  const auto windows = [&](std::int64_t size) {
    const std::int64_t room = size + 2 * window.pad - window.reach();
    return (window.ceil ? room + window.stride - 1 : room) / window.stride + 1;
  };
  sample_ = {channels, windows(sample_[1]), windows(sample_[2])};
}

void NetworkBuilder::convolution(const std::string& layer,
                                 std::int64_t channels,
                                 std::int64_t kernel) {
  require_image(layer, kernel);
  const std::int64_t area = kernel * kernel;
  add_parameters(layer, {channels, sample_[0], kernel, kernel}, sample_[0] * area, channels * area);
  append(layer,
         "Conv",
         {layer + ".weight", layer + ".bias"},
         {{"kernel_shape", std::vector<std::int64_t>{kernel, kernel}}});
  slide(channels, {.kernel = kernel});
}

void NetworkBuilder::convolution(const std::string& layer,
                                 std::int64_t channels,
                                 const SquareWindow& window) {
  require_image(layer, window.reach() - 2 * window.pad);
  const std::int64_t inputs = sample_[0] / window.groups;
  Shape shape = {channels, inputs, window.kernel, window.kernel};
  const std::int64_t fan_in = inputs * window.kernel * window.kernel;
  add_normal_weight(layer, std::move(shape), fan_in, window.rectified);
  std::map<std::string, Attribute, std::less<>> attributes = window_attributes(window);
  if (window.groups != 1) attributes.emplace("group", window.groups);
  std::vector<std::string> parameters = {layer + ".weight"};
  if (window.bias) {
    parameters.push_back(layer + ".bias");
    graph_.initializers.emplace(parameters.back(), filled({channels}, 0.0F));
  }
  append(layer, "Conv", std::move(parameters), std::move(attributes));
  slide(channels, window);
}

void NetworkBuilder::batch_norm(const std::string& layer, float epsilon) {
  const std::int64_t channels = sample_.front();
  std::vector<std::string> parameters;
  const auto add = [&](const char* name, float value) {
    parameters.push_back(cat(layer, ".", name));
    graph_.initializers.emplace(parameters.back(), filled({channels}, value));
  };
  add("weight", 1.0F);
  add("bias", 0.0F);
  add("mean", 0.0F);
  add("variance", 1.0F);
  std::map<std::string, Attribute, std::less<>> attributes;
  constexpr float kDefault = 1e-5F;
  if (epsilon != kDefault) attributes.emplace("epsilon", epsilon);
  append(layer, "BatchNormalization", std::move(parameters), std::move(attributes));
}

void NetworkBuilder::max_pool(const std::string& layer, std::int64_t size) {
  max_pool(layer, {.kernel = size, .stride = size});
}

void NetworkBuilder::max_pool(const std::string& layer, const SquareWindow& window) {
  require_image(layer, window.reach() - 2 * window.pad);
  append(layer, "MaxPool", {}, window_attributes(window));
  slide(sample_[0], window);
}

void NetworkBuilder::global_average_pool(const std::string& layer) {
  append(layer, "GlobalAveragePool", {}, {});
  sample_ = {sample_.front(), 1, 1};
}

void NetworkBuilder::resume(const Place& place) {
  last_ = place.value;
  sample_ = place.sample;
}

void NetworkBuilder::add(const std::string& layer, const Place& other) {
  append(layer, "Add", {other.value}, {});
}

bool NetworkBuilder::pads_shortcuts() noexcept {
  asked_for_shortcuts_ = true;
  return shortcut_ == kPad;
}

void NetworkBuilder::subsample(const std::string& layer,
                               std::int64_t channels,
                               std::int64_t stride) {
  require_image(layer, 1);
  const auto constant = [&](const char* name, const std::vector<std::int64_t>& values) {
    std::string full = cat(layer, ".", name);
    graph_.initializers.emplace(full,
                                Tensor::int64s({static_cast<std::int64_t>(values.size())}, values));
    return full;
  };
  append(layer + ".slice",
         "Slice",
         {constant("starts", {0, 0}),
          constant("ends", {sample_[1], sample_[2]}),
          constant("axes", {2, 3}),
          constant("steps", {stride, stride})},
         {});
  const std::int64_t more = channels - sample_[0];
  const std::int64_t front = more / 2;
  append(layer, "Pad", {constant("pads", {0, front, 0, 0, 0, more - front, 0, 0})}, {});
  slide(channels, {.kernel = 1, .stride = stride});
}

void NetworkBuilder::concat(const std::string& layer, const std::vector<Place>& places) {
  resume(places.front());
  std::vector<std::string> others;
  for (std::size_t i = 1; i < places.size(); ++i) {
    others.push_back(places[i].value);
    sample_.front() += places[i].sample.front();
  }
  append(layer, "Concat", std::move(others), {{"axis", std::int64_t{1}}});
}

void NetworkBuilder::flatten() {
  if (sample_.size() == 1) return;
  append("flatten", "Flatten", {}, {{"axis", std::int64_t{1}}});
  sample_ = {element_count(sample_)};
}

void NetworkBuilder::fully_connected(const std::string& layer, std::int64_t width) {
  if (width < 1) {
    throw InputError(
        cat("[zoo] ", network_, ": ", layer, " has width ", width, ", expected at least 1"));
  }
  const std::int64_t features = sample_.front();
  add_parameters(layer, {width, features}, features, width);
  append(layer, "Gemm", {layer + ".weight", layer + ".bias"}, {{"transB", std::int64_t{1}}});
  sample_ = {width};
}

void NetworkBuilder::fully_connected_without_bias(const std::string& layer, std::int64_t width) {
  const std::int64_t features = sample_.front();
  add_normal_weight(layer, {width, features}, features, true);
  append(layer, "Gemm", {layer + ".weight"}, {{"transB", std::int64_t{1}}});
  sample_ = {width};
}

void NetworkBuilder::channel_norm(const std::string& layer, float scale) {
  const Place input = here();
  // Far below any length that a picture gives; where all channels are 0 they stay so.
  graph_.initializers.emplace(layer + ".least", Tensor::scalar(1e-10F));
  graph_.initializers.emplace(layer + ".weight", filled({input.sample.front(), 1, 1}, scale));
  append(layer + ".length", "ReduceL2", {}, {{"axes", std::vector<std::int64_t>{1}}});
  append(layer + ".divisor", "Add", {layer + ".least"}, {});
  const std::string divisor = last_;
  resume(input);
  append(layer + ".direction", "Div", {divisor}, {});
  append(layer, "Mul", {layer + ".weight"}, {});
}

void NetworkBuilder::dropout(const std::string& layer, float share) {
  graph_.initializers.emplace(layer + ".ratio", Tensor::scalar(share));
  append(layer, "Dropout", {layer + ".ratio"}, {});
}

void NetworkBuilder::activation(const std::string& layer) {
  append(layer, activation_ == "tanh" ? "Tanh" : "Relu", {}, {});
}

void NetworkBuilder::leaky_relu(const std::string& layer, float slope) {
  append(layer, "LeakyRelu", {}, {{"alpha", slope}});
}

void NetworkBuilder::relu6(const std::string& layer) {
  graph_.initializers.emplace("relu6.low", Tensor::scalar(0.0F));
  graph_.initializers.emplace("relu6.high", Tensor::scalar(6.0F));
  append(layer, "Clip", {"relu6.low", "relu6.high"}, {});
}

void NetworkBuilder::append(std::string layer,
                            std::string op,
                            std::vector<std::string> parameters,
                            std::map<std::string, Attribute, std::less<>> attributes) {
  std::vector<std::string> inputs = {last_};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  last_ = layer + ".out";
  graph_.nodes.push_back({.name = std::move(layer),
                          .op = std::move(op),
                          .domain = {},
                          .inputs = std::move(inputs),
                          .outputs = {last_},
                          .attributes = std::move(attributes)});
}

Graph NetworkBuilder::finish_without_output() {
  if (!asked_for_shortcuts_ && shortcut_ != kConvolution) {
    throw InputError(cat("[zoo] ",
                         network_,
                         ": the shortcut '",
                         shortcut_,
                         "' does not fit, expected '",
                         kConvolution,
                         "', or a residual network of basic blocks"));
  }
  return std::move(graph_);
}

Graph NetworkBuilder::finish() {
  Graph graph = finish_without_output();
  graph.nodes.back().outputs.front() = "logits";
  graph.outputs.push_back(
      {.name = "logits",
       .type = DType::kFloat,
       .dims = {{.size = -1, .symbol = "batch"}, {.size = sample_.front(), .symbol = {}}}});
  return graph;
}

}  // namespace lastbit
