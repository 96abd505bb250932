#include "lastbit/graph/products.h"

#include "lastbit/graph/recurrent.h"

namespace lastbit {

double product_count(const Node& node, const TypeMap& types) {
  const auto sizes = [&](const std::string& value) -> const Shape& {
    return types.at(value).shape;
  };
  if (is_recurrent(node)) {
    const Recurrent r =
        recurrent_of(node, sizes(node.inputs[0]), sizes(node.inputs[1]), sizes(node.inputs[2]));
    return static_cast<double>(r.steps) * static_cast<double>(r.batch) *
           static_cast<double>(element_count(sizes(node.inputs[1])) +
                               element_count(sizes(node.inputs[2])));
  }
  double terms = 0.0;  // of a sum that is one value of the result
  if (node.op == "Conv") {
    terms = 1.0;
    const Shape& kernel = sizes(node.inputs[1]);
    for (std::size_t axis = 1; axis < kernel.size(); ++axis) {
      terms *= static_cast<double>(kernel[axis]);
    }
  } else if (node.op == "Gemm") {
    const bool transposed = int_attribute(node, "transA", 0) != 0;
    terms = static_cast<double>(sizes(node.inputs[0])[transposed ? 0 : 1]);
  } else if (node.op == "MatMul") {
    terms = static_cast<double>(sizes(node.inputs[0]).back());
  }
  return terms * static_cast<double>(element_count(sizes(node.outputs[0])));
}

double product_count(const Graph& graph, const TypeMap& types) {
  double sum = 0.0;
  for (const Node& node : graph.nodes) sum += product_count(node, types);
  return sum;
}

}  // namespace lastbit
