#pragma once

#include <cstdint>
#include <string>

namespace lastbit {

/// Text that is generated when it is opened: English sentences of a small grammar of our own, a
/// line each, in which a verb agrees with its noun across what stands between them.
struct GrammarOptions {
  std::uint64_t seed = 0;      ///< Another seed gives other sentences of the same kind.
  std::int64_t train = 20000;  ///< Sentences for training, 1, ..., 1000000.
  std::int64_t valid = 1000;   ///< Sentences for validation, in the same range.
  std::int64_t test = 1000;    ///< Sentences for testing.
};

inline constexpr std::int64_t kMostSentences = 1'000'000;

enum class GrammarPart : std::uint8_t { kTrain, kValid, kTest };

struct GrammarText {
  std::string text;   ///< UTF-8, a sentence a line.
  double nats = 0.0;  ///< -log of its probability under the grammar: no model can expect less.
};

/// Draws sentences. The first ones do not depend on `count`, and no part on another.
GrammarText generate_sentences(std::uint64_t seed, GrammarPart part, std::int64_t count);

}  // namespace lastbit
