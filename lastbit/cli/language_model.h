#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lastbit/data/vocabulary.h"
#include "lastbit/graph/graph.h"
#include "lastbit/runtime/session.h"

namespace lastbit {

/// Keys of the metadata of language models: a JSON array of the words in the order of their ids,
/// and "words" or "characters".
inline constexpr std::string_view kVocabularyKey = "lastbit.vocabulary";
inline constexpr std::string_view kTextKey = "lastbit.text";

/// Whether the graph's inputs are those of the zoo's language models, "tokens" [steps, batch]
/// first.
bool is_language_model(const Graph& graph) noexcept;

/// Writes `vocabulary` into the graph's metadata.
void set_vocabulary(Graph& graph, const Vocabulary& vocabulary);

/// The vocabulary of a graph's metadata.
/// @param where  begins messages, as "[model] file.onnx".
/// @throws InputError if there is none, or it is malformed.
Vocabulary vocabulary_of(const Graph& graph, const std::string& where);

/// A language model by our runtime, which carries its state from call to call.
///
/// The graph is one as the zoo makes: `tokens` [steps, batch], then the states, [1, batch, units];
/// `logits` [steps, batch, words], then the next states in the same order.
class LanguageModel {
 public:
  /// @param where  begins messages, as "[model] file.onnx".
  /// @param options  for its batch is 1 and its sizes are none.
  /// @throws InputError if the graph is no language model, or its vocabulary is of another size
  /// than
  ///     its logits.
  LanguageModel(Graph graph, const std::string& where, SessionOptions options);

  const Vocabulary& vocabulary() const noexcept { return vocabulary_; }

  /// The state before any text: zeros.
  void reset();

  /// Is told what follows a token. @param logits  (words)
  using After = std::function<void(std::size_t index, std::span<const float> logits)>;
  /// Goes on by `tokens`, ids of the vocabulary. @param after  called for each, in order.
  void read(std::span<const std::int32_t> tokens, const After& after);

 private:
  void run(std::optional<Session>& session,
           std::int64_t steps,
           std::span<const std::int32_t> tokens);

  Graph graph_;
  SessionOptions options_;
  Vocabulary vocabulary_;
  std::optional<Session> one_;   // a token at a time
  std::optional<Session> many_;  // kSteps of them
  std::vector<std::vector<float>> states_;
  std::vector<float> tokens_;
  std::vector<float> logits_;  // (steps, words)
};

/// How well a model foretells a text.
struct TextScore {
  std::int64_t tokens = 0;  ///< That were foretold: all but the first.
  double loss = 0.0;        ///< Mean cross-entropy, nats a token.

  double perplexity() const noexcept;
  double bits() const noexcept;  ///< A token.
};

/// Reads `ids` once from a zero state, and foretells each but the first from all before it.
/// @param progress  called with the tokens done; may be empty.
/// @throws InputError if there are fewer than two.
TextScore score_text(LanguageModel& model,
                     const TextPart& text,
                     const std::function<void(std::int64_t)>& progress = {});

}  // namespace lastbit
