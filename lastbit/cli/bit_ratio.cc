#include "lastbit/cli/bit_ratio.h"

#include <cmath>
#include <memory>
#include <set>
#include <variant>
#include <vector>

#include "lastbit/quant/projector.h"

namespace lastbit {
namespace {

constexpr double kFloatBits = 32.0;

// Whether the levels are part of what was learned, not of the set's definition.
bool has_learned_levels(const LowBitTensor& tensor) {
  if (tensor.set.empty()) return true;
  const std::shared_ptr<const Projector> set = parse_projector(tensor.set);
  const Codebook* fixed = set->levels();
  return fixed == nullptr || *fixed != tensor.codebook;
}

}  // namespace

double bit_ratio(const Graph& graph) {
  double weights = 0.0;
  double bits = 0.0;
  std::set<std::vector<float>> codebooks;
  for (const auto& [name, initializer] : graph.initializers) {
    if (name == "input.mean" || name == "input.deviation") continue;
    const auto count = static_cast<double>(element_count(shape_of(initializer)));
    const auto* low_bit = std::get_if<LowBitTensor>(&initializer);
    if (low_bit == nullptr) {
      if (std::get<Tensor>(initializer).type() != DType::kFloat) continue;
      weights += count;
      bits += kFloatBits * count;
      continue;
    }
    weights += count;
    bits += count * std::ceil(std::log2(static_cast<double>(low_bit->codebook.size())));
    const auto levels = low_bit->codebook.levels();
    if (has_learned_levels(*low_bit)) {
      codebooks.emplace(levels.begin(), levels.end());
    } else if (!low_bit->set.ends_with("/none")) {
      bits += kFloatBits * static_cast<double>(low_bit->scales.size());
    }
  }
  for (const auto& levels : codebooks) bits += kFloatBits * static_cast<double>(levels.size());
  return bits == 0.0 ? 1.0 : kFloatBits * weights / bits;
}

}  // namespace lastbit
