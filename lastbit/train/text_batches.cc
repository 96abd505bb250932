#include "lastbit/train/text_batches.h"

#include <algorithm>
#include <numeric>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/method/sent.h"

namespace lastbit {
namespace {

void require_positive(std::int64_t value, std::string_view what) {
  if (value < 1) throw InputError(cat("[text] ", what, " is ", value, ", expected at least 1"));
}

}  // namespace

TextBatches::TextBatches(const TextPart& text,
                         TextUnits units,
                         std::int64_t words,
                         const TextReading& reading,
                         torch::Device device)
    : units_(units), words_(words), reading_(reading), device_(device) {
  require_positive(reading.streams, "the batch");
  require_positive(reading.steps, "steps");
  const auto tokens = static_cast<std::int64_t>(text.ids.size());
  length_ = (tokens - 1) / reading.streams;
  if (tokens < 2 || length_ < 1) {
    throw InputError(cat(text.from,
                         " has ",
                         tokens,
                         " ",
                         to_string(units),
                         ", expected more than the batch, ",
                         reading.streams));
  }
  windows_ = (length_ + reading.steps - 1) / reading.steps;
  ids_ = torch::empty({tokens}, torch::kInt64);
  std::copy(text.ids.begin(), text.ids.end(), ids_.data_ptr<std::int64_t>());
}

std::vector<std::int64_t> TextBatches::order(std::uint64_t /*seed*/, std::int64_t /*epoch*/) const {
  std::vector<std::int64_t> order(static_cast<std::size_t>(size()));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

LoadedBatch TextBatches::load(std::span<const std::int64_t> indices,
                              const std::optional<AugmentationSeed>& /*seed*/) const {
  LoadedBatch loaded{.indices = {indices.begin(), indices.end()}, .input = {}, .labels = {}};
  const auto steps_of = [&](std::int64_t index) {
    return std::min(reading_.steps, length_ - index / reading_.streams * reading_.steps);
  };
  std::int64_t steps = 0;
  for (const std::int64_t index : indices) steps = std::max(steps, steps_of(index));
  const auto samples = static_cast<std::int64_t>(indices.size());
  const auto options = torch::TensorOptions(torch::kInt64).pinned_memory(device_.is_cuda());
  loaded.input = torch::zeros({samples, steps}, options);
  loaded.labels = torch::full({samples, steps}, kNoLabel, options);
  const auto* const ids = ids_.data_ptr<std::int64_t>();
  auto* input = loaded.input.data_ptr<std::int64_t>();
  auto* labels = loaded.labels.data_ptr<std::int64_t>();
  for (const std::int64_t index : indices) {
    const std::int64_t window = index / reading_.streams;
    const auto* const from = ids + index % reading_.streams * length_ + window * reading_.steps;
    std::copy_n(from, steps_of(index), input);
    std::copy_n(from + 1, steps_of(index), labels);
    input += steps;
    labels += steps;
  }
  return loaded;
}

Batch TextBatches::ready(const LoadedBatch& loaded,
                         const std::optional<AugmentationSeed>& /*seed*/) const {
  return {sent_to(device_, loaded.input), sent_to(device_, loaded.labels)};
}

}  // namespace lastbit
