#include "lastbit/cli/language_model.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/score.h"

namespace lastbit {
namespace {

// Tokens of one run where there are many: enough for the products to be those of matrices.
constexpr std::int64_t kSteps = 64;

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw InputError(cat(where, " is no language model: ", what));
}

bool is_state(const Value& value) {
  return value.type == DType::kFloat && value.dims.size() == 3 && value.dims[0].size == 1 &&
         (!value.dims[1].known() || value.dims[1].size == 1) && value.dims[2].size > 0;
}

void require_ends(const Graph& graph, const std::string& where) {
  const auto name = [](const std::vector<Value>& values, std::size_t i) {
    return i < values.size() ? cat("'", values[i].name, "' ", to_string(values[i].dims))
                             : std::string("none");
  };
  const std::vector<Value>& inputs = graph.inputs;
  const std::vector<Value>& outputs = graph.outputs;
  if (inputs.empty() || inputs[0].type != DType::kInt64 || inputs[0].dims.size() != 2 ||
      inputs[0].dims[0].known() || (inputs[0].dims[1].known() && inputs[0].dims[1].size != 1)) {
    fail(where, cat("its first input is ", name(inputs, 0), ", expected int64 [steps, batch]"));
  }
  if (outputs.empty() || outputs[0].type != DType::kFloat || outputs[0].dims.size() != 3 ||
      !outputs[0].dims[2].known()) {
    fail(where, cat("its first output is ", name(outputs, 0), ", expected [steps, batch, words]"));
  }
  if (inputs.size() != outputs.size()) {
    fail(where,
         cat("it has ",
             inputs.size() - 1,
             " states as inputs and ",
             outputs.size() - 1,
             " as outputs, expected as many"));
  }
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const bool pair =
        is_state(inputs[i]) && is_state(outputs[i]) && inputs[i].dims[2] == outputs[i].dims[2];
    if (pair) continue;
    fail(where,
         cat("its states ",
             name(inputs, i),
             " and ",
             name(outputs, i),
             " are no pair, expected [1, batch, units] twice"));
  }
}

}  // namespace

bool is_language_model(const Graph& graph) noexcept {
  if (graph.inputs.empty() || graph.inputs[0].name != "tokens") return false;
  const std::vector<Dim>& dims = graph.inputs[0].dims;
  return dims.size() == 2 && dims[0].symbol == "steps" && dims[1].symbol == "batch";
}

void set_vocabulary(Graph& graph, const Vocabulary& vocabulary) {
  graph.metadata.insert_or_assign(std::string(kVocabularyKey), vocabulary.to_json());
  graph.metadata.insert_or_assign(std::string(kTextKey),
                                  std::string(to_string(vocabulary.units())));
}

Vocabulary vocabulary_of(const Graph& graph, const std::string& where) {
  const auto entries = graph.metadata.find(kVocabularyKey);
  const auto units = graph.metadata.find(kTextKey);
  for (const auto& [found, key] :
       {std::pair(entries, kVocabularyKey), std::pair(units, kTextKey)}) {
    if (found == graph.metadata.end()) {
      fail(where, cat("its metadata has no '", key, "'"));
    }
  }
  return Vocabulary::from_json(entries->second,
                               parse_text_units(units->second, cat(where, ": '", kTextKey, "'")),
                               cat(where, ": '", kVocabularyKey, "'"));
}

LanguageModel::LanguageModel(Graph graph, const std::string& where, SessionOptions options)
    : graph_(std::move(graph)),
      options_(std::move(options)),
      vocabulary_(vocabulary_of(graph_, where)) {
  require_ends(graph_, where);
  const std::int64_t words = graph_.outputs[0].dims[2].size;
  if (vocabulary_.size() != words) {
    throw InputError(cat(where,
                         ": the vocabulary has ",
                         vocabulary_.size(),
                         " entries and the model foretells ",
                         words,
                         ", expected as many"));
  }
  for (Value& input : graph_.inputs) input.dims[1] = {.size = 1, .symbol = {}};
  options_.sizes.clear();
  for (std::size_t i = 1; i < graph_.inputs.size(); ++i) {
    states_.emplace_back(static_cast<std::size_t>(graph_.inputs[i].dims[2].size));
  }
}

void LanguageModel::reset() {
  for (std::vector<float>& state : states_) std::ranges::fill(state, 0.0F);
}

void LanguageModel::run(std::optional<Session>& session,
                        std::int64_t steps,
                        std::span<const std::int32_t> tokens) {
  if (!session) {
    options_.batch = steps;
    session.emplace(graph_, options_);
  }
  tokens_.assign(tokens.begin(), tokens.end());
  logits_.resize(tokens.size() * static_cast<std::size_t>(vocabulary_.size()));
  std::vector<std::span<const float>> inputs = {tokens_};
  std::vector<std::span<float>> outputs = {logits_};
  for (std::vector<float>& state : states_) {
    inputs.emplace_back(state);
    outputs.emplace_back(state);
  }
  session->run(inputs, outputs);
}

void LanguageModel::read(std::span<const std::int32_t> tokens, const After& after) {
  const auto words = static_cast<std::size_t>(vocabulary_.size());
  for (std::size_t begin = 0; begin < tokens.size();) {
    const bool many = tokens.size() - begin >= kSteps;
    const std::size_t count = many ? kSteps : 1;
    run(many ? many_ : one_, static_cast<std::int64_t>(count), tokens.subspan(begin, count));
    for (std::size_t i = 0; i < count; ++i) {
      after(begin + i, std::span(logits_).subspan(i * words, words));
    }
    begin += count;
  }
}

double TextScore::perplexity() const noexcept { return std::exp(loss); }
double TextScore::bits() const noexcept { return loss / std::numbers::ln2; }

TextScore score_text(LanguageModel& model,
                     const TextPart& text,
                     const std::function<void(std::int64_t)>& progress) {
  const std::span<const std::int32_t> ids(text.ids);
  if (ids.size() < 2) {
    throw InputError(
        cat(text.from, " has ", ids.size(), " tokens, expected 2 or more to foretell one"));
  }
  model.reset();
  double sum = 0.0;
  model.read(ids.first(ids.size() - 1), [&](std::size_t i, std::span<const float> logits) {
    sum += cross_entropy(logits.data(), std::ssize(logits), ids[i + 1]);
    if (progress) progress(static_cast<std::int64_t>(i) + 1);
  });
  TextScore score{.tokens = std::ssize(ids) - 1, .loss = 0.0};
  score.loss = sum / static_cast<double>(score.tokens);
  return score;
}

}  // namespace lastbit
