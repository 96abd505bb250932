#include "lastbit/zoo/builder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// Elements of one array. Far above any network of the papers, and small enough for every product of
// sizes below to stay within 64 bits.
constexpr std::int64_t kMaxElements = std::numeric_limits<std::int32_t>::max();

constexpr std::string_view kConvolution = "convolution";
constexpr std::string_view kPad = "pad";

void check_options(std::string_view network, const ZooOptions& options) {
  if (options.classes < 2) {
    throw InputError(cat("[zoo] ",
                         network,
                         ": the number of classes is ",
                         options.classes,
                         ", expected at least 2"));
  }
  if (options.input.empty()) {
    throw InputError(
        cat("[zoo] ", network, ": the input shape is empty, expected one size or more"));
  }
  std::int64_t elements = 1;
  for (const std::int64_t size : options.input) {
    if (size < 1 || size > kMaxElements / elements) {
      throw InputError(cat("[zoo] ",
                           network,
                           ": the input shape is ",
                           to_string(options.input),
                           ", expected positive sizes with a product of at most ",
                           kMaxElements));
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

// What is left out has ONNX's default.
std::map<std::string, Attribute, std::less<>> window_attributes(const SquareWindow& window) {
  using Sizes = std::vector<std::int64_t>;
  std::map<std::string, Attribute, std::less<>> result;
  result.emplace("kernel_shape", Sizes(2, window.kernel));
  if (window.stride != 1) result.emplace("strides", Sizes(2, window.stride));
  if (window.pad != 0) result.emplace("pads", Sizes(4, window.pad));
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
                               std::string_view default_activation)
    : network_(name),
      seed_(options.seed),
      activation_(options.activation.empty() ? std::string(default_activation)
                                             : options.activation),
      shortcut_(options.shortcut),
      sample_(options.input),
      last_("input") {
  check_options(name, options);
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
  const std::vector<float> zeros(static_cast<std::size_t>(element_count(shape)), 0.0F);
  graph_.initializers.emplace("input.mean", Tensor::floats(std::move(shape), zeros));
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
    const std::int64_t room = size + 2 * window.pad - window.kernel;
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
  require_image(layer, window.kernel - 2 * window.pad);
  const std::int64_t inputs = sample_[0] / window.groups;
  Shape shape = {channels, inputs, window.kernel, window.kernel};
  const std::int64_t fan_in = inputs * window.kernel * window.kernel;
  add_normal_weight(layer, std::move(shape), fan_in, window.rectified);
  std::map<std::string, Attribute, std::less<>> attributes = window_attributes(window);
  if (window.groups != 1) attributes.emplace("group", window.groups);
  append(layer, "Conv", {layer + ".weight"}, std::move(attributes));
  slide(channels, window);
}

void NetworkBuilder::batch_norm(const std::string& layer, float epsilon) {
  const std::int64_t channels = sample_.front();
  std::vector<std::string> parameters;
  const auto add = [&](const char* name, float value) {
    parameters.push_back(cat(layer, ".", name));
    const std::vector<float> values(static_cast<std::size_t>(channels), value);
    graph_.initializers.emplace(parameters.back(), Tensor::floats({channels}, values));
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
  require_image(layer, window.kernel - 2 * window.pad);
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

void NetworkBuilder::dropout(const std::string& layer, float share) {
  graph_.initializers.emplace(layer + ".ratio", Tensor::scalar(share));
  append(layer, "Dropout", {layer + ".ratio"}, {});
}

void NetworkBuilder::activation(const std::string& layer) {
  append(layer, activation_ == "tanh" ? "Tanh" : "Relu", {}, {});
}

void NetworkBuilder::relu6(const std::string& layer) {
  graph_.initializers.emplace("relu6.low", Tensor::scalar(0.0F));
  graph_.initializers.emplace("relu6.high", Tensor::scalar(6.0F));
  append(layer, "Clip", {"relu6.low", "relu6.high"}, {});
}

std::size_t NetworkBuilder::weight_count(const std::string& layer,
                                         const Shape& shape,
                                         std::int64_t fan_in) const {
  if (shape.front() > kMaxElements / fan_in) {
    throw InputError(cat("[zoo] ",
                         network_,
                         ": ",
                         layer,
                         " would have ",
                         to_string(shape),
                         " weights, expected at most ",
                         kMaxElements));
  }
  return static_cast<std::size_t>(element_count(shape));
}

void NetworkBuilder::add_normal_weight(const std::string& layer,
                                       Shape shape,
                                       std::int64_t fan_in,
                                       bool rectified) {
  std::vector<float> weights(weight_count(layer, shape, fan_in));
  Random random(seed_, layers_++);
  const double deviation = std::sqrt((rectified ? 2.0 : 1.0) / static_cast<double>(fan_in));
  for (float& w : weights) w = static_cast<float>(deviation * random.normal());
  graph_.initializers.emplace(layer + ".weight", Tensor::floats(std::move(shape), weights));
}

void NetworkBuilder::add_parameters(const std::string& layer,
                                    Shape weight_shape,
                                    std::int64_t fan_in,
                                    std::int64_t fan_out) {
  const std::int64_t width = weight_shape.front();
  std::vector<float> weights(weight_count(layer, weight_shape, fan_in));
  Random random(seed_, layers_++);
  const double limit = std::sqrt(6.0 / static_cast<double>(fan_in + fan_out));
  for (float& w : weights) w = static_cast<float>(random.uniform(-limit, limit));
  const std::vector<float> bias(static_cast<std::size_t>(width), 0.0F);
  graph_.initializers.emplace(layer + ".weight", Tensor::floats(std::move(weight_shape), weights));
  graph_.initializers.emplace(layer + ".bias", Tensor::floats({width}, bias));
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

Graph NetworkBuilder::finish() {
  if (!asked_for_shortcuts_ && shortcut_ != kConvolution) {
    throw InputError(cat("[zoo] ",
                         network_,
                         ": the shortcut '",
                         shortcut_,
                         "' does not fit, expected '",
                         kConvolution,
                         "', or a residual network of basic blocks"));
  }
  graph_.nodes.back().outputs.front() = "logits";
  graph_.outputs.push_back(
      {.name = "logits",
       .type = DType::kFloat,
       .dims = {{.size = -1, .symbol = "batch"}, {.size = sample_.front(), .symbol = {}}}});
  return std::move(graph_);
}

}  // namespace lastbit
