#include "lastbit/runtime/fold.h"

#include <span>
#include <utility>
#include <vector>

#include "lastbit/quant/digits.h"

namespace lastbit {
namespace {

bool turns_matrix(const Node& node) {
  const std::vector<std::int64_t> turned = {1, 0};
  return node.op == "Transpose" && ints_attribute(node, "perm", turned) == turned;
}

LowBitTensor transposed(const LowBitTensor& matrix) {
  check_lowbit(matrix);
  const auto rows = static_cast<std::size_t>(matrix.shape[0]);
  const auto columns = static_cast<std::size_t>(matrix.shape[1]);
  std::vector<Code> codes(rows * columns);
  const int radix = static_cast<int>(matrix.codebook.size());
  unpack(matrix.packed, radix, 0, codes);
  std::vector<Code> turned(codes.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) turned[j * rows + i] = codes[i * columns + j];
  }
  LowBitTensor result = matrix;
  std::swap(result.shape[0], result.shape[1]);
  if (result.scale_shape.size() == 2) std::swap(result.scale_shape[0], result.scale_shape[1]);
  result.packed = pack(turned, radix);
  return result;
}

}  // namespace

Initializer fold_constants(const Node& node,
                           Graph constants,
                           const Shape& shape,
                           SessionOptions options) {
  const std::string& first = node.inputs.front();
  const Initializer given = constants.initializers.find(first)->second;
  const auto* low_bit = std::get_if<LowBitTensor>(&given);
  if (low_bit != nullptr && low_bit->group == 0 && shape.size() == 2 && turns_matrix(node)) {
    return transposed(*low_bit);
  }
  // A graph needs an input, which the first of them becomes.
  const Tensor input = decode(given);
  constants.initializers.erase(first);
  constants.inputs = {{.name = first, .type = DType::kFloat, .dims = {}}};
  for (const std::int64_t size : input.shape()) {
    constants.inputs[0].dims.push_back({.size = size, .symbol = {}});
  }
  constants.nodes = {node};
  constants.outputs = {{.name = node.outputs.front(), .type = DType::kFloat, .dims = {}}};
  options.threads = 1;
  options.sizes.clear();
  options.activations = Activations::kFloat;
  Session session(constants, options);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  const std::span<const float> in = input.as_floats();
  const std::span<float> out(values);
  session.run({&in, 1}, {&out, 1});
  return Tensor::floats(shape, values);
}

}  // namespace lastbit
