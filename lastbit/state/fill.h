#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/state/names.h"
#include "lastbit/state/state.h"

namespace lastbit {

/// The constants that make a network what it was trained to: those of Conv, Gemm, MatMul (and of an
/// addition behind one) and BatchNormalization nodes, in the order of the nodes, each once.
std::vector<std::string> weight_constants(const Graph& graph);

/// The zoo's name of each tensor of a state; empty for those that are passed over by rule.
struct StateNames {
  std::string_view family;  ///< of `name_families`; empty where the names are the zoo's own
  std::vector<std::string> names;
};

/// By `maps` and the family that knows most of the state's tensors as constants of `graph`.
StateNames name_state(const Graph& graph,
                      std::span<const StateTensor> state,
                      std::span<const NameMap> maps);

/// A constant, and where its values came from: names of the state.
struct FillRow {
  std::string constant;
  std::string source;
  Shape shape;
};

/// Puts each tensor of a state into the constant of `graph` of its name in `names`. A bias of a
/// layer that has none in `graph`, but batch norm behind it, is taken into the batch norm: its mean
/// is lowered by it; if the state has no batch norm there, the batch norm adds the bias and does
/// nothing else.
///
/// @return what went where, in the order of `weight_constants`.
/// @throws InputError that lists the tensors that are no constant and the constants without a
///     tensor; the shapes that differ; or two tensors of one name. FormatError as a tensor's `read`
///     does. `graph` is then half filled.
std::vector<FillRow> fill_by_name(Graph& graph,
                                  std::span<const StateTensor> state,
                                  std::span<const std::string> names);

/// Puts the first tensor into the first constant and so on; counts of batches are passed over.
/// @throws InputError as `fill_by_name` does.
std::vector<FillRow> fill_in_order(Graph& graph, std::span<const StateTensor> state);

}  // namespace lastbit
