#include "lastbit/runtime/product_weights.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

namespace lastbit {
namespace {

constexpr std::size_t kTable = 16;  // levels of codes of up to 4 bits
constexpr std::size_t kMostCodes = 256;

// Bits of a field that holds each code below `codes`.
int field_bits(std::size_t codes) noexcept {
  if (codes <= 2) return 1;
  if (codes <= 4) return 2;
  return codes <= kTable ? 4 : 8;
}

// The least integer for the largest magnitude with which all levels are integers, but for the
// rounding of floats; `most` if there is none below. Sums of products with other levels are near.
int integer_of_largest(std::span<const float> levels, float largest, int most) {
  for (int steps = 1; steps < most; ++steps) {
    const bool fits = std::all_of(levels.begin(), levels.end(), [&](float level) {
      const float scaled = level / largest * static_cast<float>(steps);
      return std::abs(scaled - std::nearbyint(scaled)) <= 1e-6F * static_cast<float>(steps);
    });
    if (fits) return steps;
  }
  return most;
}

struct IntegerLevels {
  int largest = 0;
  float unit = 1.0F;
  bool fit = false;  // no sum of products overflows
};

IntegerLevels integer_levels(std::span<const float> levels, std::size_t groups) {
  float most = 0.0F;
  for (const float level : levels) most = std::max(most, std::abs(level));
  // Above 64 the sum of two products of bytes exceeds 16 bits, which some kernels then widen.
  const int steps = integer_of_largest(levels, most, field_bits(levels.size()) == 8 ? 127 : 64);
  const float unit = most / static_cast<float>(steps);
  const std::size_t most_sum = 255 * groups * kGroupInputs * static_cast<std::size_t>(steps);
  const bool fit = unit >= FLT_MIN &&
                   most_sum <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  return {.largest = steps, .unit = unit, .fit = fit};
}

// The levels of weights that are kept as codes; empty for others.
std::vector<float> levels_of(const LowBitTensor& tensor, const WeightOrder& order) {
  if (!scales_outputs(tensor, order)) return {};
  const std::span<const float> known = tensor.codebook.levels();
  std::vector<float> levels(known.begin(), known.end());
  if (order.zero_gaps && std::find(levels.begin(), levels.end(), 0.0F) == levels.end()) {
    levels.push_back(0.0F);
  }
  if (levels.size() > kMostCodes) levels.clear();
  return levels;
}

// Whether groups are whole numbers of outputs with weights in a row, as the gates of a recurrent
// layer.
bool scales_rows(const LowBitTensor& tensor, const WeightOrder& order) {
  const auto group = static_cast<std::size_t>(tensor.group);
  const std::size_t row = order.output_step;
  return tensor.layout.before == 1 && tensor.layout.after == tensor.group && group % row == 0 &&
         order.first % row == 0 && std::ranges::all_of(order.inputs, [&](std::int64_t at) {
           return at < static_cast<std::int64_t>(row);
         });
}

}  // namespace

bool has_integers(const Initializer& constant, const WeightOrder& order) {
  const auto* lowbit = std::get_if<LowBitTensor>(&constant);
  if (lowbit == nullptr) return false;
  const std::vector<float> levels = levels_of(*lowbit, order);
  return !levels.empty() && integer_levels(levels, order.inputs.size() / kGroupInputs).fit;
}

bool scales_outputs(const LowBitTensor& tensor, const WeightOrder& order) {
  if (tensor.scales.size() == 1) return true;
  if (tensor.group != 0) return scales_rows(tensor, order);
  if (tensor.scale_shape.size() != tensor.shape.size()) return false;
  std::size_t step = 1;
  for (std::size_t axis = tensor.shape.size(); axis-- > 0;) {
    const auto size = static_cast<std::size_t>(tensor.shape[axis]);
    // As many scales as outputs, as far apart.
    if (tensor.scale_shape[axis] > 1) return step == order.output_step && size > 1;
    step *= size;
  }
  return false;
}

float output_scale(const LowBitTensor& tensor, const WeightOrder& order, std::size_t output) {
  if (tensor.group != 0) {
    const std::size_t at = order.first + output * order.output_step;
    return tensor.scales[at / static_cast<std::size_t>(tensor.group)];
  }
  const std::size_t channel = order.first / order.output_step + output;
  return tensor.scales[tensor.scales.size() == 1 ? 0 : channel % tensor.scales.size()];
}

ProductWeights::ProductWeights(const Initializer& constant,
                               const WeightOrder& order,
                               bool for_integers)
    : groups_(order.inputs.size() / kGroupInputs), scales_(order.outputs, 1.0F) {
  const auto* lowbit = std::get_if<LowBitTensor>(&constant);
  if (lowbit != nullptr) {
    std::vector<float> levels = levels_of(*lowbit, order);
    if (!levels.empty()) {
      keep_codes(*lowbit, std::move(levels), order, for_integers);
      return;
    }
  }
  keep_floats(decode(constant), order);
}

std::size_t ProductWeights::outputs_of(std::size_t block) const noexcept {
  return std::min(kBlockOutputs, outputs() - block * kBlockOutputs);
}

int ProductWeights::width_of(std::size_t block) const noexcept {
  return outputs_of(block) > kWordOutputs ? 2 : 1;
}

std::size_t ProductWeights::block_stride() const noexcept {
  return bits_ == 0 ? groups_ * kGroupInputs * kBlockOutputs * sizeof(float)
                    : block_bytes(groups_, bits_, 2);
}

WeightBlock ProductWeights::block(std::size_t index) const noexcept {
  const std::byte* at = words_.data() + index * block_stride();
  WeightBlock block{.bits = bits_, .width = width_of(index)};
  if (bits_ == 0) {
    block.floats = reinterpret_cast<const float*>(at);
    return block;
  }
  block.words = reinterpret_cast<const std::uint8_t*>(at);
  block.levels = bits_ == 8 ? nullptr : levels_.data();
  block.largest = largest_;
  block.table = table_.data();
  return block;
}

void ProductWeights::keep_floats(const Tensor& tensor, const WeightOrder& order) {
  words_ = AlignedBytes(blocks() * block_stride());
  const std::span<const float> from = tensor.as_floats();
  for (std::size_t o = 0; o < outputs(); ++o) {
    const std::size_t block = o / kBlockOutputs;
    const auto width = static_cast<std::size_t>(width_of(block)) * kWordOutputs;
    auto* to = reinterpret_cast<float*>(words_.data() + block * block_stride()) + o % kBlockOutputs;
    for (std::size_t k = 0; k < order.inputs.size(); ++k) {
      if (order.inputs[k] < 0) continue;
      to[k * width] =
          from[order.first + o * order.output_step + static_cast<std::size_t>(order.inputs[k])];
    }
  }
}

void ProductWeights::take_integers(const std::vector<float>& levels) {
  const IntegerLevels found = integer_levels(levels, groups_);
  largest_ = found.largest;
  unit_ = found.unit;
  integers_ = found.fit;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    levels_[i] = static_cast<std::int8_t>(std::lround(levels[i % levels.size()] / unit_));
  }
}

void ProductWeights::keep_codes(const LowBitTensor& tensor,
                                std::vector<float> levels,
                                const WeightOrder& order,
                                bool for_integers) {
  const auto zero = std::find(levels.begin(), levels.end(), 0.0F);
  const std::size_t gap =
      zero == levels.end() ? 0 : static_cast<std::size_t>(zero - levels.begin());
  codes_ = static_cast<int>(levels.size());
  bits_ = field_bits(levels.size());
  // Codes that do not exist are never looked up, but what kernels read of a table must be finite.
  levels.resize(std::size_t{1} << static_cast<unsigned>(bits_), 0.0F);
  for (std::size_t i = 0; i < std::max(levels.size(), kTable); ++i) {
    table_.push_back(levels[i % levels.size()]);
  }
  levels_.assign(table_.size(), 0);
  take_integers(levels);
  for (std::size_t o = 0; o < outputs(); ++o) scales_[o] = output_scale(tensor, order, o);

  check_lowbit(tensor);
  for_integers = for_integers && integers_;
  WordFields fields{.bits = bits_, .gap = static_cast<std::uint8_t>(gap)};
  std::vector<std::uint8_t> values;
  if (bits_ == 8 && for_integers) {
    for (const std::int8_t level : levels_) values.push_back(static_cast<std::uint8_t>(level));
    fields.values = values.data();
    fields.gap = values[gap];
  }
  words_ = AlignedBytes(blocks() * block_stride());
  fill_words(tensor.packed, tensor.codebook.size(), order, fields, words_.data());
  if (for_integers) {
    sums_.assign(outputs(), 0);
    add_level_sums(words_.data(), groups_, bits_, levels_.data(), sums_);
  }
}

std::vector<float> ProductWeights::scales(float alpha) const {
  std::vector<float> result = scales_;
  for (float& scale : result) scale *= alpha;
  return result;
}

std::size_t ProductWeights::bytes() const noexcept {
  return words_.size() + (table_.size() + scales_.size() + sums_.size()) * sizeof(float) +
         levels_.size();
}

}  // namespace lastbit
