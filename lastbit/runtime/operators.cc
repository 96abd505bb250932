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
    {.name = "Cast", .make = make_cast, .layout = kEither, .moves = true},
    {.name = "Clip", .make = make_clip, .layout = kEither, .first_parameter = 1},
    {.name = "Concat", .make = make_concat, .layout = kEither, .moves = true},
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
    {.name = "Exp", .make = make_function, .layout = kEither},
    {.name = "Flatten", .moves = true},
    {.name = "GRU",
     .make = make_recurrent,
     .first_parameter = 1,
     .end_parameter = 5,
     .integer_parameters = true,
     .results = 2},
    {.name = "Gather", .make = make_gather, .weight_input = 0, .weight_rank = 2, .moves = true},
    {.name = "Gemm",
     .make = make_gemm,
     .weight_input = 1,
     .weight_rank = 2,
     .must_be_constant = true,
     .first_parameter = 2,
     .fuses = true},
    {.name = "GlobalAveragePool", .make = make_global_pool, .layout = kChannelsLast},
    {.name = "Identity", .layout = kEither, .moves = true},
    {.name = "LSTM",
     .make = make_recurrent,
     .first_parameter = 1,
     .end_parameter = 5,
     .integer_parameters = true,
     .results = 3},
    {.name = "LeakyRelu", .make = make_activation, .layout = kEither},
    {.name = "LogSoftmax", .make = make_softmax},
    {.name = "MatMul", .make = make_matmul, .weight_input = 1, .weight_rank = 2, .fuses = true},
    {.name = "MaxPool", .make = make_pool, .layout = kChannelsLast},
    {.name = "Mul", .make = make_binary, .layout = kEither},
    {.name = "NonMaxSuppression",
     .make = make_suppression,
     .first_parameter = 2,
     .integer_parameters = true},
    {.name = "Pad",
     .make = make_selection,
     .layout = kEither,
     .first_parameter = 1,
     .integer_parameters = true},
    {.name = "ReduceL2", .make = make_reduction, .first_parameter = 1, .integer_parameters = true},
    {.name = "ReduceMax", .make = make_reduction, .first_parameter = 1, .integer_parameters = true},
    {.name = "ReduceSum", .make = make_reduction, .first_parameter = 1, .integer_parameters = true},
    {.name = "Relu", .make = make_activation, .layout = kEither},
    {.name = "Reshape", .moves = true},
    {.name = "Sigmoid", .make = make_activation, .layout = kEither},
    {.name = "Slice",
     .make = make_selection,
     .layout = kEither,
     .first_parameter = 1,
     .integer_parameters = true,
     .moves = true},
    {.name = "Softmax", .make = make_softmax},
    {.name = "Sqrt", .make = make_function, .layout = kEither},
    {.name = "Squeeze", .moves = true},
    {.name = "Sub", .make = make_binary, .layout = kEither},
    {.name = "Tanh", .make = make_activation, .layout = kEither},
    {.name = "Transpose", .make = make_transpose, .moves = true},
    {.name = "Unsqueeze", .moves = true},
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
