#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/base/random.h"
#include "lastbit/cli/language_model.h"

namespace lastbit {

inline constexpr double kMostTemperature = 100.0;

/// How the next token is drawn.
struct SamplingOptions {
  /// Logits are divided by it, 0, ..., kMostTemperature: below 1 likely words get likelier. 0 takes
  /// the likeliest word, of equals the first.
  double temperature = 1.0;
  std::int64_t top_k = 0;  ///< Only so many of the likeliest are drawn from; 0 for all.
  std::uint64_t seed = 0;  ///< Equal seeds give equal text.
};

/// Draws ids by the distribution that logits stand for.
class Sampler {
 public:
  /// @throws InputError if an option is out of its range.
  explicit Sampler(const SamplingOptions& options);

  /// @throws WorkError if a logit is not finite.
  std::int32_t draw(std::span<const float> logits);

 private:
  SamplingOptions options_;
  Random random_;
  std::vector<std::int32_t> order_;
  std::vector<double> weights_;
};

/// Puts tokens together as text: words with a space between them and a line break for `<eos>`,
/// characters as they are.
class TextJoiner {
 public:
  explicit TextJoiner(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}
  /// What the token adds to the text.
  std::string add(std::int32_t id);

 private:
  const Vocabulary& vocabulary_;
  bool inside_line_ = false;
};

/// Reads `prompt` from a zero state and goes on for `count` tokens.
/// @param write  is given the text as it comes, the prompt's (as the model sees it) first. It
///     returns whether to go on.
void generate(LanguageModel& model,
              std::span<const std::int32_t> prompt,
              std::int64_t count,
              Sampler& sampler,
              const std::function<bool(std::string_view)>& write);

}  // namespace lastbit
