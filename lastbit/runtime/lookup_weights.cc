#include "lastbit/runtime/lookup_weights.h"

#include <algorithm>
#include <cstdint>

namespace lastbit {
namespace {

constexpr std::size_t kMostInputs = kBinaryInputs;

std::size_t inputs_of(std::span<const float> levels) noexcept {
  if (levels.front() != -levels.back()) return 0;
  if (levels.size() == 2) return kBinaryInputs;
  return levels.size() == 3 && levels[1] == 0.0F ? kTernaryInputs : 0;
}

// The code of weights that are -1, 0 or 1, as LookupBlock has it.
std::uint32_t code_of(const int* weights, std::size_t inputs) noexcept {
  for (std::uint32_t i = 0; i < kTableSums; ++i) {
    bool same = true;
    bool opposite = true;
    for (std::size_t j = 0; j < inputs; ++j) {
      same = same && weights[j] == table_weight(inputs, i, j);
      opposite = opposite && weights[j] == -table_weight(inputs, i, j);
    }
    if (same) return i;
    if (opposite) return i | kNegated;
  }
  return 0;
}

// Those of all cases of weights: digits of `levels`, the first input the lowest.
std::vector<std::uint32_t> all_codes(std::size_t inputs, std::size_t levels) {
  std::size_t cases = 1;
  for (std::size_t j = 0; j < inputs; ++j) cases *= levels;
  std::vector<std::uint32_t> codes;
  for (std::size_t i = 0; i < cases; ++i) {
    int weights[kMostInputs];
    std::size_t rest = i;
    for (std::size_t j = 0; j < inputs; ++j, rest /= levels) {
      const int digit = static_cast<int>(rest % levels);
      weights[j] = levels == 2 ? 2 * digit - 1 : digit - 1;
    }
    codes.push_back(code_of(weights, inputs));
  }
  return codes;
}

}  // namespace

std::size_t lookup_inputs(const Initializer& constant, const WeightOrder& order) {
  const auto* lowbit = std::get_if<LowBitTensor>(&constant);
  if (lowbit == nullptr || !scales_outputs(*lowbit, order)) return 0;
  return inputs_of(lowbit->codebook.levels());
}

bool lookup_pays(std::size_t count,
                 std::size_t inputs,
                 std::size_t outputs,
                 double windows) noexcept {
  // In cycles, for a word of outputs where that is meant: a table takes three to be made and 0.8 to
  // be looked up, a product half a cycle.
  const std::size_t whole = (outputs + kWordOutputs - 1) / kWordOutputs;
  const auto words = static_cast<double>(whole);
  const auto tables = static_cast<double>(tables_of(count, inputs));
  return tables * (0.8 * words * windows + 3.0) <
         0.5 * words * windows * static_cast<double>(count);
}

LookupWeights::LookupWeights(const LowBitTensor& tensor, const WeightOrder& order) {
  const std::span<const float> levels = tensor.codebook.levels();
  const std::size_t inputs = inputs_of(levels);
  // lookup_inputs() was asked before, so that it is not 0.
  tables_ = order.inputs.size() / inputs;  // NOLINT(clang-analyzer-core.DivideZero)
  scales_.reserve(order.outputs);
  for (std::size_t o = 0; o < order.outputs; ++o) {
    scales_.push_back(levels.back() * output_scale(tensor, order, o));
  }
  words_ = AlignedBytes((outputs() + kWordOutputs - 1) / kWordOutputs * lookup_bytes(tables_, 1));

  const std::vector<Code> digits = unpack_lowbit(tensor).codes;
  const std::vector<std::uint32_t> codes = all_codes(inputs, levels.size());
  for (std::size_t o = 0; o < outputs(); ++o) {
    const LookupBlock at = block(o / kLookupOutputs);
    const Code* const of_output = digits.data() + order.first + o * order.output_step;
    auto* const lanes =
        reinterpret_cast<std::uint32_t*>(const_cast<std::uint8_t*>(at.words)) + o % kLookupOutputs;
    for (std::size_t t = 0; t < tables_; ++t) {
      std::size_t index = 0;
      for (std::size_t j = inputs; j-- > 0;) {
        const std::int64_t input = order.inputs[t * inputs + j];
        // Code 1 of ternary weights is 0, and of others both serve for an input that is 0.
        index = index * levels.size() + (input < 0 ? 1 : of_output[input]);
      }
      lanes[t / kLaneCodes * at.width * kWordOutputs] |= codes[index]
                                                         << (t % kLaneCodes * kCodeBits);
    }
  }
}

std::size_t LookupWeights::outputs_of(std::size_t block) const noexcept {
  return std::min(kLookupOutputs, outputs() - block * kLookupOutputs);
}

LookupBlock LookupWeights::block(std::size_t index) const noexcept {
  const std::byte* at = words_.data() + index * lookup_bytes(tables_, kLookupWords);
  return {.words = reinterpret_cast<const std::uint8_t*>(at),
          .width = (outputs_of(index) + kWordOutputs - 1) / kWordOutputs};
}

}  // namespace lastbit
