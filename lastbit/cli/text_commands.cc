#include "lastbit/cli/text_commands.h"

#include <filesystem>
#include <iostream>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/progress.h"
#include "lastbit/data/utf8.h"
#include "lastbit/graph/onnx.h"

namespace lastbit {
namespace {

LanguageModel load(const std::string& model, const SessionOptions& session) {
  return {read_onnx(model, {.keep_bytes = true}), cat("[model] ", model), session};
}

}  // namespace

CLI::Option* add_prompt_options(CLI::App& app, PromptOptions& options) {
  CLI::Option* prompt =
      app.add_option("--prompt",
                     options.prompt,
                     "Text that a language model is to go on with; it prints what "
                     "it makes of it")
          ->type_name("TEXT");
  app.add_option("--tokens", options.tokens, "Words or characters to add")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40U))
      ->needs(prompt)
      ->type_name("N");
  app.add_option("--temperature",
                 options.sampling.temperature,
                 "Below 1 likely words get likelier; 0 takes the likeliest")
      ->check(number_from(0.0, kMostTemperature))
      ->needs(prompt)
      ->type_name("X");
  app.add_option("--top-k", options.sampling.top_k, "Draw from so many of the likeliest; 0 for all")
      ->check(CLI::NonNegativeNumber)
      ->needs(prompt)
      ->type_name("N");
  app.add_option("--seed", options.sampling.seed, "Equal seeds give equal text")
      ->check(CLI::NonNegativeNumber)
      ->needs(prompt)
      ->type_name("N");
  return prompt;
}

void refuse_language_model(const Graph& graph, const std::string& model) {
  if (!is_language_model(graph)) return;
  throw InputError(cat("[model] ",
                       model,
                       " is a language model, expected --data words:PATH or characters:PATH to "
                       "evaluate it, or --prompt to run it"));
}

int run_prompt(const std::string& model, const PromptOptions& options, SessionOptions session) {
  constexpr std::string_view kWhere = "[run] the prompt";
  Sampler sampler(options.sampling);
  require_utf8(options.prompt, kWhere);
  LanguageModel language = load(model, session);
  const Vocabulary& vocabulary = language.vocabulary();
  const TextPart prompt = encode(options.prompt, vocabulary, kWhere);
  if (prompt.ids.empty()) {
    throw InputError(
        cat(kWhere, " is empty, expected one of the model's ", to_string(vocabulary.units())));
  }
  if (prompt.unknown > 0) {
    std::cerr << "prompt: " << unknown_text(prompt, vocabulary.units()) << " and become '"
              << vocabulary[*vocabulary.unknown()] << "'\n";
  }
  generate(language, prompt.ids, options.tokens, sampler, [](std::string_view text) {
    return static_cast<bool>(std::cout << text << std::flush);
  });
  std::cout << "\n";
  return 0;
}

int eval_text(const std::string& model,
              const DataChoice& data,
              const SessionOptions& session,
              bool json) {
  LanguageModel language = load(model, session);
  const TextUnits units = language.vocabulary().units();
  const TextPart text = open_text_part(data, language.vocabulary());
  TextScore score;
  {
    ProgressBar bar(std::ssize(text.ids) - 1, std::string(to_string(units)));
    score = score_text(language, text, [&](std::int64_t done) { bar.update(done, ""); });
  }
  if (json) {
    const nlohmann::ordered_json out = {{"model", model},
                                        {"data", data.name},
                                        {"part", data.part},
                                        {"perplexity", score.perplexity()},
                                        {"bits", score.bits()},
                                        {"loss", score.loss},
                                        {"tokens", score.tokens},
                                        {"unknown", text.unknown},
                                        {"bytes", std::filesystem::file_size(model)}};
    std::cout << json_line(out);
    return 0;
  }
  const std::string unknown = unknown_text(text, units);
  if (!unknown.empty()) std::cerr << "data: " << unknown << "\n";
  std::cout << (units == TextUnits::kWords
                    ? fmt::format("{}: perplexity {:.2f}", model, score.perplexity())
                    : fmt::format("{}: {:.4f} bits a character", model, score.bits()))
            << fmt::format(", loss {:.4f}, {} {}\n", score.loss, score.tokens, to_string(units));
  return 0;
}

}  // namespace lastbit
