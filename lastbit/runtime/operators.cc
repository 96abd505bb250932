#include "lastbit/runtime/operators.h"

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr Layout kChannelsLast = Layout::kChannelsLast;
constexpr Layout kEither = Layout::kEither;

constexpr RuntimeOperator kOperators[] = {
    {.name = "Add", .make = make_binary, .layout = kEither},
    {.name = "AveragePool", .make = make_pool, .layout = kChannelsLast},
    {.name = "BatchNormalization",
     .make = make_normalization,
     .layout = kChannelsLast,
     .first_parameter = 1},
    {.name = "Clip", .make = make_clip, .layout = kEither, .first_parameter = 1},
    {.name = "Concat", .make = make_concat, .layout = kEither},
    {.name = "Conv",
     .make = make_conv,
     .layout = kChannelsLast,
     .weight_input = 1,
     .weight_rank = 4,
     .must_be_constant = true,
     .first_parameter = 2,
     .fuses = true},
    {.name = "Div", .make = make_binary, .layout = kEither},
    {.name = "Dropout", .layout = kEither},
    {.name = "Flatten"},
    {.name = "Gemm",
     .make = make_gemm,
     .weight_input = 1,
     .weight_rank = 2,
     .must_be_constant = true,
     .first_parameter = 2,
     .fuses = true},
    {.name = "GlobalAveragePool", .make = make_global_pool, .layout = kChannelsLast},
    {.name = "Identity", .layout = kEither},
    {.name = "LeakyRelu", .make = make_activation, .layout = kEither},
    {.name = "LogSoftmax", .make = make_softmax},
    {.name = "MatMul", .make = make_matmul, .weight_input = 1, .weight_rank = 2, .fuses = true},
    {.name = "MaxPool", .make = make_pool, .layout = kChannelsLast},
    {.name = "Mul", .make = make_binary, .layout = kEither},
    {.name = "Pad",
     .make = make_selection,
     .layout = kEither,
     .first_parameter = 1,
     .integer_parameters = true},
    {.name = "Relu", .make = make_activation, .layout = kEither},
    {.name = "Reshape"},
    {.name = "Sigmoid", .make = make_activation, .layout = kEither},
    {.name = "Slice",
     .make = make_selection,
     .layout = kEither,
     .first_parameter = 1,
     .integer_parameters = true},
    {.name = "Softmax", .make = make_softmax},
    {.name = "Squeeze"},
    {.name = "Sub", .make = make_binary, .layout = kEither},
    {.name = "Tanh", .make = make_activation, .layout = kEither},
    {.name = "Transpose", .make = make_transpose},
    {.name = "Unsqueeze"},
};

}  // namespace

std::span<const RuntimeOperator> runtime_operators() noexcept { return kOperators; }

const RuntimeOperator* find_runtime_operator(std::string_view name) noexcept {
  for (const RuntimeOperator& row : kOperators) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

Activation activation_of(const Node& node) {
  using Kind = Activation::Kind;
  if (node.op == "Relu") return {.kind = Kind::kRelu};
  if (node.op == "Sigmoid") return {.kind = Kind::kSigmoid};
  if (node.op == "Tanh") return {.kind = Kind::kTanh};
  if (node.op == "LeakyRelu") {
    return {.kind = Kind::kLeakyRelu, .slope = float_attribute(node, "alpha", 0.01F)};
  }
  return {};
}

void refuse(const Node& node, const std::string& message) {
  throw InputError(cat("[runtime] node ", describe(node), ": ", message));
}

}  // namespace lastbit
