#pragma once

#include <string>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// Key of the digest in a model's metadata.
inline constexpr const char* kDigestKey = "lastbit.weights.sha256";

/// SHA-256, in hex, over all float32 initializers of `graph`: of the text that holds, in order of
/// name, a line "NAME SHA256-OF-THE-DECODED-VALUES" for each. The trainer stores that of the
/// weights it evaluated; whoever decodes the file can compare.
std::string weights_digest(const Graph& graph);

}  // namespace lastbit
