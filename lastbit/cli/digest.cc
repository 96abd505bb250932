#include "lastbit/cli/digest.h"

#include <cstddef>
#include <span>

#include "lastbit/data/sha256.h"

namespace lastbit {

std::string weights_digest(const Graph& graph) {
  std::string lines;
  for (const auto& [name, initializer] : graph.initializers) {
    const Tensor tensor = decode(initializer);
    if (tensor.type() != DType::kFloat) continue;
    lines += name + " " + sha256(tensor.bytes()) + "\n";
  }
  return sha256(std::as_bytes(std::span(lines)));
}

}  // namespace lastbit
