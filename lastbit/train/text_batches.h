#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "lastbit/data/vocabulary.h"
#include "lastbit/train/batches.h"

namespace lastbit {

/// Labels of places behind the end of a text, which count nowhere.
inline constexpr std::int64_t kNoLabel = -100;

/// How a text is read.
struct TextReading {
  /// The text is cut in so many pieces of one length, which are read side by side: the batch.
  std::int64_t streams = 1;
  std::int64_t steps = 35;  ///< Tokens of a piece that are read at once.
};

/// A text as windows of `steps` tokens, each with those that follow them as labels. A batch is one
/// window of each piece; the next is what follows it, so that a network may carry its state. All
/// epochs have the same order.
///
/// Sample i is window i / streams of piece i % streams. Input and labels are (samples, steps)
/// int64; the last windows may be shorter. Tokens that no piece of one length has room for, fewer
/// than pieces, are left out at the end.
class TextBatches : public Batches {
 public:
  /// @throws InputError if the text is too short to give each stream a token and the next.
  TextBatches(const TextPart& text,
              TextUnits units,
              std::int64_t words,
              const TextReading& reading,
              torch::Device device);

  std::int64_t size() const noexcept override { return windows_ * reading_.streams; }
  std::int64_t classes() const noexcept override { return words_; }
  std::int64_t tested_together() const noexcept override { return reading_.streams; }
  Unit unit() const noexcept override { return {to_string(units_), reading_.steps}; }
  std::vector<std::int64_t> order(std::uint64_t seed, std::int64_t epoch) const override;
  LoadedBatch load(std::span<const std::int64_t> indices,
                   const std::optional<AugmentationSeed>& seed) const override;
  Batch ready(const LoadedBatch& loaded,
              const std::optional<AugmentationSeed>& seed) const override;
  bool load_is_slow() const noexcept override { return false; }

  TextUnits units() const noexcept { return units_; }

 private:
  torch::Tensor ids_;  // (tokens) int64
  TextUnits units_;
  std::int64_t words_;
  TextReading reading_;
  torch::Device device_;
  std::int64_t length_;   // tokens that a piece foretells
  std::int64_t windows_;  // of a piece
};

}  // namespace lastbit
