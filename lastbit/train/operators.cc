#include "lastbit/train/operators.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/ATen.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/recurrent.h"
#include "lastbit/train/recurrent.h"
#include "lastbit/train/selection.h"
#include "lastbit/train/windows.h"

namespace lastbit {
namespace {

using Inputs = std::span<const torch::Tensor>;

struct Context {
  const Node& node;
  const Graph& graph;
  const ForwardMode* mode;

  [[noreturn]] void fail(std::string_view what) const {
    throw InputError(cat("[train] node ", describe(node), ": ", what));
  }
  // The constant integers of input `index`, as a Reshape's target.
  std::vector<std::int64_t> constant_ints(std::size_t index) const {
    const auto* initializer =
        index < node.inputs.size() ? graph.find_initializer(node.inputs[index]) : nullptr;
    const auto* plain =
        initializer == nullptr ? nullptr : std::get_if<lastbit::Tensor>(initializer);
    if (plain == nullptr) fail(cat("input ", index, " is not a constant"));
    const auto values = plain->as_int64s();
    return {values.begin(), values.end()};
  }
  // The constant number of input `index`, as a Dropout's ratio: read here, since a step that read
  // it on a GPU would wait.
  double constant_float(std::size_t index) const {
    const Initializer* given = graph.find_initializer(node.inputs.at(index));
    if (given == nullptr) fail(cat("input ", index, " is not a constant"));
    return decode(*given).as_floats()[0];
  }
  bool has(std::size_t index) const {
    return index < node.inputs.size() && !node.inputs[index].empty();
  }
};

torch::Tensor input_or_none(Inputs in, std::size_t index) {
  return index < in.size() ? in[index] : torch::Tensor();
}

template <torch::Tensor (*kFunction)(const torch::Tensor&)>
OperatorCall unary(const Context& /*context*/) {
  return [](Inputs in) { return kFunction(in[0]); };
}
template <torch::Tensor (*kFunction)(const torch::Tensor&, const torch::Tensor&)>
OperatorCall binary(const Context& /*context*/) {
  return [](Inputs in) { return kFunction(in[0], in[1]); };
}

torch::Tensor add(const torch::Tensor& a, const torch::Tensor& b) { return a + b; }
torch::Tensor sub(const torch::Tensor& a, const torch::Tensor& b) { return a - b; }
torch::Tensor mul(const torch::Tensor& a, const torch::Tensor& b) { return a * b; }
torch::Tensor div(const torch::Tensor& a, const torch::Tensor& b) { return a / b; }
torch::Tensor identity(const torch::Tensor& a) { return a; }
torch::Tensor mean_over_space(const torch::Tensor& a) {
  std::vector<std::int64_t> axes(static_cast<std::size_t>(a.dim() - 2));
  std::iota(axes.begin(), axes.end(), 2);
  return a.mean(axes, /*keepdim=*/true);
}

OperatorCall gemm(const Context& context) {
  const auto alpha = float_attribute(context.node, "alpha", 1.0F);
  const auto beta = float_attribute(context.node, "beta", 1.0F);
  const bool transpose_a = int_attribute(context.node, "transA", 0) != 0;
  const bool transpose_b = int_attribute(context.node, "transB", 0) != 0;
  const bool plain = alpha == 1.0F && beta == 1.0F && !transpose_a && transpose_b;
  return [=, mode = context.mode](Inputs in) {
    torch::Tensor a = as_factor(in[0], *mode);
    torch::Tensor b = as_factor(in[1], *mode);
    const torch::Tensor c = as_factor(input_or_none(in, 2), *mode);
    if (plain && (!c.defined() || c.dim() == 1)) return at::linear(a, b, c);
    if (transpose_a) a = a.t();
    if (transpose_b) b = b.t();
    torch::Tensor product = at::mm(a, b);
    if (alpha != 1.0F) product = product * alpha;
    return c.defined() ? product + c * beta : product;
  };
}

OperatorCall matmul(const Context& context) {
  return [mode = context.mode](Inputs in) {
    return at::matmul(as_factor(in[0], *mode), as_factor(in[1], *mode));
  };
}

OperatorCall leaky_relu(const Context& context) {
  const double slope = float_attribute(context.node, "alpha", 0.01F);
  return [slope](Inputs in) { return at::leaky_relu(in[0], slope); };
}

OperatorCall clip(const Context& /*context*/) {
  return [](Inputs in) {
    torch::Tensor result = in[0];
    if (const torch::Tensor low = input_or_none(in, 1); low.defined())
      result = at::maximum(result, low);
    if (const torch::Tensor high = input_or_none(in, 2); high.defined())
      result = at::minimum(result, high);
    return result;
  };
}

OperatorCall softmax(const Context& context) {
  const auto axis = int_attribute(context.node, "axis", -1);
  return [axis](Inputs in) { return at::softmax(in[0], axis, torch::kFloat32); };
}
OperatorCall log_softmax(const Context& context) {
  const auto axis = int_attribute(context.node, "axis", -1);
  return [axis](Inputs in) { return at::log_softmax(in[0], axis, torch::kFloat32); };
}

OperatorCall batch_norm(const Context& context) {
  const double epsilon = float_attribute(context.node, "epsilon", 1e-5F);
  // ONNX: running = running * momentum + batch * (1 - momentum); LibTorch names the other share.
  const double momentum = 1.0 - float_attribute(context.node, "momentum", 0.9F);
  return [=, mode = context.mode](Inputs in) {
    // One value a channel, as in a last batch of one sample, has no variance: it would turn the
    // running one into NaN.
    const bool estimates = mode->statistics_share > 0.0;
    const bool by_batch = (mode->training || estimates) && in[0].numel() > in[0].size(1);
    const double share = estimates ? mode->statistics_share : momentum;
    return at::batch_norm(
        in[0], in[1], in[2], in[3], in[4], by_batch, share, epsilon, /*cudnn_enabled=*/true);
  };
}

OperatorCall dropout(const Context& context) {
  const double ratio = context.has(1) ? context.constant_float(1) : 0.5;
  return [ratio, mode = context.mode](Inputs in) {
    const torch::Tensor& x = in[0];
    const bool drops = mode->training && ratio > 0.0;
    if (!mode->locked_dropout || !drops || x.dim() != 3) return at::dropout(x, ratio, drops);
    return x * at::dropout(at::ones({1, x.size(1), x.size(2)}, x.options()), ratio, true);
  };
}

OperatorCall flatten(const Context& context) {
  const auto axis = int_attribute(context.node, "axis", 1);
  return [axis](Inputs in) {
    const auto sizes = in[0].sizes();
    const auto split = axis < 0 ? axis + in[0].dim() : axis;
    const auto rows =
        std::accumulate(sizes.begin(), sizes.begin() + split, std::int64_t{1}, std::multiplies<>());
    const auto columns =
        std::accumulate(sizes.begin() + split, sizes.end(), std::int64_t{1}, std::multiplies<>());
    return in[0].reshape({rows, columns});
  };
}

OperatorCall reshape(const Context& context) {
  const auto target = context.constant_ints(1);
  const bool zero_is_size = int_attribute(context.node, "allowzero", 0) != 0;
  return [=](Inputs in) {
    std::vector<std::int64_t> shape = target;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 0 && !zero_is_size) shape[i] = in[0].size(static_cast<std::int64_t>(i));
    }
    return in[0].reshape(shape);
  };
}

OperatorCall transpose(const Context& context) {
  const auto order = ints_attribute(context.node, "perm", {});
  return [order](Inputs in) {
    if (!order.empty()) return in[0].permute(order);
    std::vector<std::int64_t> reversed(static_cast<std::size_t>(in[0].dim()));
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    return in[0].permute(reversed);
  };
}

OperatorCall concat(const Context& context) {
  const auto axis = int_attribute(context.node, "axis", 0);
  return
      [axis](Inputs in) { return at::cat(std::vector<torch::Tensor>(in.begin(), in.end()), axis); };
}

OperatorCall squeeze(const Context& context) {
  if (!context.has(1)) return [](Inputs in) { return at::squeeze(in[0]); };
  const auto axes = context.constant_ints(1);
  return [axes](Inputs in) {
    std::vector<std::int64_t> shape;
    for (std::int64_t i = 0; i < in[0].dim(); ++i) {
      bool dropped = false;
      for (const auto axis : axes) dropped |= axis == i || axis + in[0].dim() == i;
      if (!dropped) shape.push_back(in[0].size(i));
    }
    return in[0].reshape(shape);
  };
}

OperatorCall unsqueeze(const Context& context) {
  const auto axes = context.constant_ints(1);
  return [axes](Inputs in) {
    const auto rank = in[0].dim() + static_cast<std::int64_t>(axes.size());
    std::vector<std::int64_t> shape(static_cast<std::size_t>(rank), 0);
    for (const auto axis : axes)
      shape.at(static_cast<std::size_t>(axis < 0 ? axis + rank : axis)) = 1;
    std::int64_t next = 0;
    for (auto& size : shape) {
      if (size == 0) size = in[0].size(next++);
    }
    return in[0].reshape(shape);
  };
}

OperatorCall selection(const Context& context) {
  std::vector<std::vector<std::int64_t>> parameters;
  for (std::size_t i = 1; i < context.node.inputs.size(); ++i) {
    const bool is_value = context.node.op == "Pad" && i == 2;
    parameters.push_back(context.has(i) && !is_value ? context.constant_ints(i)
                                                     : std::vector<std::int64_t>{});
  }
  const bool has_border = context.node.op == "Pad" && context.has(2);
  return compile_selection(
      context.node, std::move(parameters), has_border ? context.constant_float(2) : 0.0);
}

// The axes of a reduction, by an attribute or, in newer opsets, an input; all where there are none.
std::vector<std::int64_t> reduced_axes(const Context& context) {
  if (context.has(1)) return context.constant_ints(1);
  return ints_attribute(context.node, "axes", {});
}
template <torch::Tensor (*kFunction)(const torch::Tensor&, const std::vector<std::int64_t>&)>
OperatorCall reduction(const Context& context) {
  return [axes = reduced_axes(context)](Inputs in) mutable {
    if (axes.empty()) {
      axes.resize(static_cast<std::size_t>(in[0].dim()));
      std::iota(axes.begin(), axes.end(), 0);
    }
    return kFunction(in[0], axes);
  };
}
torch::Tensor largest(const torch::Tensor& a, const std::vector<std::int64_t>& axes) {
  return at::amax(a, axes, /*keepdim=*/true);
}
torch::Tensor total(const torch::Tensor& a, const std::vector<std::int64_t>& axes) {
  return at::sum(a, axes, /*keepdim=*/true);
}
torch::Tensor euclidean_length(const torch::Tensor& a, const std::vector<std::int64_t>& axes) {
  return at::norm(a, 2, axes, /*keepdim=*/true);
}

OperatorCall cast(const Context& context) {
  switch (static_cast<DType>(int_attribute(context.node, "to", 1))) {
    case DType::kFloat:
      return [](Inputs in) { return in[0].to(torch::kFloat32); };
    case DType::kInt32:
      return [](Inputs in) { return in[0].to(torch::kInt32); };
    case DType::kInt64:
      return [](Inputs in) { return in[0].to(torch::kInt64); };
    default:
      context.fail("attribute 'to' is not supported in training, only float32, int32 and int64");
  }
}

// Where the check costs nothing: on a GPU it would make a step wait, and LibTorch has its own.
void require_indices(const Node& node, const torch::Tensor& indices, std::int64_t size) {
  if (!indices.is_cpu() || indices.numel() == 0) return;
  const auto [least, most] = at::aminmax(indices);
  const auto low = least.item<std::int64_t>();
  const auto high = most.item<std::int64_t>();
  if (low >= -size && high < size) return;
  throw InputError(cat("[train] node ",
                       describe(node),
                       ": index ",
                       low < -size ? low : high,
                       ", expected ",
                       -size,
                       " to ",
                       size - 1));
}

OperatorCall gather(const Context& context) {
  const auto axis = int_attribute(context.node, "axis", 0);
  return [axis, node = context.node](Inputs in) {
    const torch::Tensor& from = in[0];
    torch::Tensor indices = in[1].to(torch::kInt64);
    const std::int64_t size = from.size(axis);
    require_indices(node, indices, size);
    indices = at::where(indices.lt(0), indices + size, indices);
    if (axis == 0 && from.dim() == 2 && from.is_floating_point()) {
      return at::embedding(from, indices);
    }
    const auto place = axis < 0 ? axis + from.dim() : axis;
    std::vector<std::int64_t> shape = from.sizes().vec();
    shape.erase(shape.begin() + place);
    shape.insert(shape.begin() + place, indices.sizes().begin(), indices.sizes().end());
    return at::index_select(from, place, indices.reshape({-1})).reshape(shape);
  };
}

OperatorCall conv(const Context& c) { return compile_conv(c.node, c.mode); }
OperatorCall max_pool(const Context& c) { return compile_max_pool(c.node); }
OperatorCall average_pool(const Context& c) { return compile_average_pool(c.node); }

struct Row {
  std::string_view op;
  OperatorCall (*compile)(const Context& context);
};

constexpr std::array kOperators = {
    Row{"Add", binary<add>},
    Row{"AveragePool", average_pool},
    Row{"BatchNormalization", batch_norm},
    Row{"Cast", cast},
    Row{"Clip", clip},
    Row{"Concat", concat},
    Row{"Conv", conv},
    Row{"Div", binary<div>},
    Row{"Dropout", dropout},
    Row{"Exp", unary<at::exp>},
    Row{"Flatten", flatten},
    Row{"Gather", gather},
    Row{"Gemm", gemm},
    Row{"GlobalAveragePool", unary<mean_over_space>},
    Row{"Identity", unary<identity>},
    Row{"LeakyRelu", leaky_relu},
    Row{"LogSoftmax", log_softmax},
    Row{"MatMul", matmul},
    Row{"MaxPool", max_pool},
    Row{"Mul", binary<mul>},
    Row{"Pad", selection},
    Row{"ReduceL2", reduction<euclidean_length>},
    Row{"ReduceMax", reduction<largest>},
    Row{"ReduceSum", reduction<total>},
    Row{"Relu", unary<at::relu>},
    Row{"Reshape", reshape},
    Row{"Sigmoid", unary<at::sigmoid>},
    Row{"Slice", selection},
    Row{"Softmax", softmax},
    Row{"Sqrt", unary<at::sqrt>},
    Row{"Squeeze", squeeze},
    Row{"Sub", binary<sub>},
    Row{"Tanh", unary<at::tanh>},
    Row{"Transpose", transpose},
    Row{"Unsqueeze", unsqueeze},
};

}  // namespace

torch::Tensor as_factor(const torch::Tensor& tensor, const ForwardMode& mode) {
  if (!tensor.defined()) return tensor;
  return tensor.to(mode.precision == Precision::kBf16 ? torch::kBFloat16 : tensor.scalar_type(),
                   /*non_blocking=*/false,
                   /*copy=*/false,
                   mode.channels_last && tensor.dim() == 4 ? torch::MemoryFormat::ChannelsLast
                                                           : torch::MemoryFormat::Preserve);
}

NodeCall compile_operator(const Node& node, const Graph& graph, const ForwardMode* mode) {
  const Context context{node, graph, mode};
  if (is_recurrent(node)) return compile_recurrent(node, mode);
  std::vector<std::string_view> known = {"GRU", "LSTM"};
  for (const Row& row : kOperators) {
    if (node.domain.empty() && row.op == node.op) {
      return {[call = row.compile(context)](Inputs in) { return std::vector{call(in)}; }};
    }
    known.push_back(row.op);
  }
  std::ranges::sort(known);
  context.fail(cat("operator is not supported in training, supported are: ", join(known)));
}

}  // namespace lastbit
