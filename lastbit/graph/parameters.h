#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/quant/projector.h"

namespace lastbit {

/// A float32 initializer that training changes.
struct Parameter {
  std::string initializer;
  Shape shape;
  bool matrix = false;  ///< a matrix or kernel, not a bias or a norm's scale
};

/// What training changes in `graph`: the weights that can be low-bit (`lowbit_candidates`), their
/// biases (a constant added to a result of MatMul among them), scale and bias of
/// BatchNormalization, and a constant by which what was divided by its length (ReduceL2) is
/// multiplied. All other constants, as an input's mean, stay as they are.
std::vector<Parameter> trainable_parameters(const Graph& graph);

/// A weight and the set it must end in.
struct Constraint {
  WeightUse use;
  std::shared_ptr<const Projector> set;  // null: stays float
  int shared = -1;  // weights of one number have one codebook (share_codebooks)
};

/// How a weight of `shape` lies for a projection onto `set`: by its output channels, or with the
/// gates of each direction as channels for sets that are `by_gate`.
ChannelLayout layout_of(const WeightUse& use,
                        std::span<const std::int64_t> shape,
                        const Projector& set);

/// Packs what was projected in that layout.
LowBitTensor pack_weight(const Quantized& quantized,
                         Shape shape,
                         const WeightUse& use,
                         const Projector& set);

/// Which weight takes which codebook, by rules in order: "ternary" for all, or "PATTERN=SET", where
/// the pattern (`*`, `?`) is matched against the layer's name and the initializer's, or behind
/// "kernel:" against the sides of a convolution's kernel ("kernel:1x1=float"). SET is a codebook or
/// "float". The last rule that matches decides; a weight without a rule stays float.
///
/// @throws InputError if a rule is malformed or matches nothing (the message lists the layers), a
///     set by gate is for a weight that has no gates, or no weight is left to make low-bit.
std::vector<Constraint> choose_codebooks(const Graph& graph, std::span<const std::string> rules);

/// Gives the weights of `graph` that match a pattern of `patterns` (as in `choose_codebooks`) one
/// codebook, with its scale, in common: those of each pattern.
///
/// @throws InputError if a pattern matches fewer than two low-bit weights, or weights of different
/// sets, of a set with a scale a channel or group, or that already share another's codebook.
void share_codebooks(const Graph& graph,
                     std::vector<Constraint>& constraints,
                     std::span<const std::string> patterns);

/// `graph` with each weight of `constraints` that has a set projected onto it and packed: direct
/// compression. Codebooks in common are not looked at.
Graph project_weights(Graph graph, std::span<const Constraint> constraints);

}  // namespace lastbit
