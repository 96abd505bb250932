#pragma once

#include <cstdint>
#include <string>

#include "lastbit/cli/command_line.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/cli/generate.h"
#include "lastbit/runtime/session.h"

namespace lastbit {

/// What `lastbit run` does with a language model.
struct PromptOptions {
  std::string prompt;
  std::int64_t tokens = 200;
  SamplingOptions sampling;
};

/// Adds --prompt, and --tokens, --temperature, --top-k and --seed, which need it.
/// @return the --prompt option.
CLI::Option* add_prompt_options(CLI::App& app, PromptOptions& options);

/// Goes on with a prompt, and prints the text as it comes.
/// @return the exit code.
int run_prompt(const std::string& model, const PromptOptions& options, SessionOptions session);

/// @throws InputError if the graph is a language model, which takes no images.
void refuse_language_model(const Graph& graph, const std::string& model);

/// Perplexity, or bits a character, on a text.
/// @return the exit code.
int eval_text(const std::string& model,
              const DataChoice& data,
              const SessionOptions& session,
              bool json);

}  // namespace lastbit
