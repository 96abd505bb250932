#include "lastbit/zoo/builder.h"

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

NetworkBuilder::NetworkBuilder(std::string_view name,
                               const ZooOptions& options,
                               std::string_view default_activation)
    : network_(name),
      seed_(options.seed),
      activation_(options.activation.empty() ? std::string(default_activation)
                                             : options.activation),
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

void NetworkBuilder::convolution(const std::string& layer,
                                 std::int64_t channels,
                                 std::int64_t kernel) {
  if (sample_.size() != 3) {
    throw InputError(cat("[zoo] ",
                         network_,
                         ": the input shape has ",
                         sample_.size(),
                         " axes, expected 3 (channels, height, width)"));
  }
  if (sample_[1] < kernel || sample_[2] < kernel) {
    throw InputError(cat("[zoo] ",
                         network_,
                         ": the input is too small, ",
                         layer,
                         " gets ",
                         to_string(sample_),
                         " and needs at least ",
                         kernel,
                         " x ",
                         kernel));
  }
  const std::int64_t area = kernel * kernel;
  add_parameters(layer, {channels, sample_[0], kernel, kernel}, sample_[0] * area, channels * area);
  append(layer,
         "Conv",
         {layer + ".weight", layer + ".bias"},
         {{"kernel_shape", std::vector<std::int64_t>{kernel, kernel}}});
  sample_ = {channels, sample_[1] - kernel + 1, sample_[2] - kernel + 1};
}

void NetworkBuilder::max_pool(const std::string& layer, std::int64_t size) {
  if (sample_[1] < size || sample_[2] < size) {
    throw InputError(cat("[zoo] ",
                         network_,
                         ": the input is too small, ",
                         layer,
                         " gets ",
                         to_string(sample_),
                         " and needs at least ",
                         size,
                         " x ",
                         size));
  }
  append(layer,
         "MaxPool",
         {},
         {{"kernel_shape", std::vector<std::int64_t>{size, size}},
          {"strides", std::vector<std::int64_t>{size, size}}});
  sample_ = {sample_[0], sample_[1] / size, sample_[2] / size};
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

void NetworkBuilder::activation(const std::string& layer) {
  append(layer, activation_ == "tanh" ? "Tanh" : "Relu", {}, {});
}

void NetworkBuilder::add_parameters(const std::string& layer,
                                    Shape weight_shape,
                                    std::int64_t fan_in,
                                    std::int64_t fan_out) {
  const std::int64_t width = weight_shape.front();
  if (width > kMaxElements / fan_in) {
    throw InputError(cat("[zoo] ",
                         network_,
                         ": ",
                         layer,
                         " would have ",
                         to_string(weight_shape),
                         " weights, expected at most ",
                         kMaxElements));
  }
  Random random(seed_, layers_++);
  const double limit = std::sqrt(6.0 / static_cast<double>(fan_in + fan_out));
  std::vector<float> weights(static_cast<std::size_t>(element_count(weight_shape)));
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
  graph_.nodes.back().outputs.front() = "logits";
  graph_.outputs.push_back(
      {.name = "logits",
       .type = DType::kFloat,
       .dims = {{.size = -1, .symbol = "batch"}, {.size = sample_.front(), .symbol = {}}}});
  return std::move(graph_);
}

}  // namespace lastbit
