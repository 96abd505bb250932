#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/graph/graph.h"

namespace lastbit {

struct ZooOptions {
  Shape input = {1, 28, 28};              ///< Shape of one sample, without the batch.
  std::int64_t classes = 10;              ///< Outputs; of a detector, without "nothing".
  std::vector<std::int64_t> hidden = {};  ///< Hidden widths, for `mlp` alone; others refuse it.
  std::string activation = {};            ///< "tanh", "relu"; empty takes the architecture's own.
  std::string center = "channel";         ///< Mean to subtract: "none", "channel" or "pixel".
  std::string shortcut = "convolution";   ///< Of residual networks: "convolution" or "pad".
  std::uint64_t seed = 0;                 ///< Of the initial weights.

  // Of language models alone; others refuse them. What is left out is that of the size.
  std::string size = {};    ///< "small", "medium" or "large"; empty takes "small".
  std::int64_t words = 0;   ///< Entries of the vocabulary; 0 takes 10000, or 128 characters.
  std::int64_t units = 0;   ///< Of each layer, and width of the embedding.
  std::int64_t layers = 0;  ///< Of LSTM or GRU.
  float dropout = -1.0F;    ///< Share that training drops before each layer and the softmax.
  bool tied = false;        ///< The softmax has the embedding's weights.
};

/// What a network is for.
enum class NetworkKind : std::uint8_t {
  kClassifier,  ///< "input" [batch, ...] -> "logits" [batch, classes]
  kDetector,    ///< "input" [batch, 3, height, width] -> "boxes", "scores" and "selected"
  kLanguage,    ///< "tokens" [steps, batch] and the state -> "logits" and the next state
};

/// A row of the table of architectures.
struct Architecture {
  std::string_view name;
  std::string_view summary;  ///< one line, with its source
  Graph (*make)(const ZooOptions& options);
  NetworkKind kind = NetworkKind::kClassifier;
  std::int64_t side = 0;  ///< Of a detector's images, where nothing else is asked for.
};

std::span<const Architecture> architectures() noexcept;
/// The detector called `name`, or null.
const Architecture* find_detector(std::string_view name) noexcept;

/// The network called `name`, with seeded random weights. Its input is "input" [batch, ...], its
/// output "logits" [batch, classes]; layers are called conv1, fc1, ... and their parameters
/// conv1.weight, conv1.bias; those of a block start with its name, as stage1.block1.conv1. The
/// mean, "input.mean", is 0 until training sets it. A detector has the ends of `finish_detector`.
///
/// A language model has the inputs "tokens", int64 [steps, batch], and for each layer n = 1, 2, ...
/// "hidden_n" and, of an LSTM, "cell_n", [1, batch, units]; its outputs are "logits" [steps, batch,
/// words] and "next_hidden_n", "next_cell_n". Its parameters are "embedding.weight" [words, units],
/// "lstm1.input.weight", "lstm1.recurrent.weight", "lstm1.bias" (gru1 likewise), "softmax.weight"
/// [units, words], unless it is tied, and "softmax.bias".
/// @throws InputError that lists the known names, or names the option that does not fit.
Graph make_network(std::string_view name, const ZooOptions& options);

}  // namespace lastbit
