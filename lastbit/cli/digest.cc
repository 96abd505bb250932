#include "lastbit/cli/digest.h"

#include "lastbit/data/sha256.h"

namespace lastbit {

std::string weights_digest(const Graph& graph) {
  Sha256 hash;
  for (const auto& [name, initializer] : graph.initializers) {
    const Tensor tensor = decode(initializer);
    if (tensor.type() != DType::kFloat) continue;
    hash.update(std::as_bytes(std::span(name.c_str(), name.size() + 1)));
    hash.update(tensor.bytes());
  }
  return hash.hex();
}

}  // namespace lastbit
