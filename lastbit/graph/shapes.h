#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// Type and full shape of a value.
struct TensorType {
  DType type = DType::kFloat;
  Shape shape;

  friend bool operator==(const TensorType&, const TensorType&) = default;
};

using TypeMap = std::map<std::string, TensorType, std::less<>>;

/// The shape of every value of `graph` (inputs, initializers, results of nodes) for inputs of known
/// shape.
///
/// @param input_shapes  one for each input of the graph whose shape has a symbol; where an input is
///     missing here its own dims must all be known.
/// @throws InputError naming node and operator for an operator that is not supported at the graph's
///     opset, and for shapes that do not fit each other.
TypeMap infer_shapes(const Graph& graph,
                     const std::map<std::string, Shape, std::less<>>& input_shapes);

/// The same, with every unknown dimension whose name is among `sizes` set to that, and every other
/// unknown first dimension to `batch`. Other unknown dimensions are an error, and so is a name in
/// `sizes` that no input has.
TypeMap infer_shapes(const Graph& graph,
                     std::int64_t batch,
                     const std::map<std::string, std::int64_t, std::less<>>& sizes = {});

/// The operators that shape inference knows, sorted; the most that training and the runtime take.
std::vector<std::string> known_operators();

}  // namespace lastbit
