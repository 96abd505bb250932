#include "lastbit/method/shared_layers.h"

#include <map>

namespace lastbit {

std::vector<std::vector<std::size_t>> shared_layers(const std::vector<ConstrainedWeight>& layers) {
  std::vector<std::vector<std::size_t>> parts;
  std::map<int, std::size_t> shared;  // the part of each codebook in common
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto known = layers[i].shared < 0 ? shared.end() : shared.find(layers[i].shared);
    if (known != shared.end()) {
      parts[known->second].push_back(i);
      continue;
    }
    if (layers[i].shared >= 0) shared[layers[i].shared] = parts.size();
    parts.push_back({i});
  }
  return parts;
}

}  // namespace lastbit
