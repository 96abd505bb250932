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
  std::int64_t classes = 10;              ///< Number of outputs.
  std::vector<std::int64_t> hidden = {};  ///< Hidden widths, for `mlp` alone; others refuse it.
  std::string activation = {};            ///< "tanh", "relu"; empty takes the architecture's own.
  std::string center = "channel";         ///< Mean to subtract: "none", "channel" or "pixel".
  std::string shortcut = "convolution";   ///< Of residual networks: "convolution" or "pad".
  std::uint64_t seed = 0;                 ///< Of the initial weights.
};

/// A row of the table of architectures.
struct Architecture {
  std::string_view name;
  std::string_view summary;  ///< one line, with its source
  Graph (*make)(const ZooOptions& options);
};

std::span<const Architecture> architectures() noexcept;

/// The network called `name`, with seeded random weights. Its input is "input" [batch, ...], its
/// output "logits" [batch, classes]; layers are called conv1, fc1, ... and their parameters
/// conv1.weight, conv1.bias; those of a block start with its name, as stage1.block1.conv1. The
/// mean, "input.mean", is 0 until training sets it.
/// @throws InputError that lists the known names, or names the option that does not fit.
Graph make_network(std::string_view name, const ZooOptions& options);

}  // namespace lastbit
