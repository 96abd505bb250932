#include "lastbit/cli/network_options.h"

#include "lastbit/base/text.h"
#include "lastbit/graph/parameters.h"

namespace lastbit {

void add_network_options(CLI::App& app, ZooOptions& options) {
  app.add_option("--hidden", options.hidden, "Widths of the hidden layers, for mlp: 300,100")
      ->delimiter(',')
      ->type_name("N,N,...");
  app.add_option(
         "--activation", options.activation, "tanh or relu, where the architecture has a choice")
      ->type_name("NAME");
  app.add_option("--center",
                 options.center,
                 "Mean to subtract from the input: one a channel, one a pixel, or none")
      ->type_name("channel|pixel|none");
  app.add_option("--shortcut",
                 options.shortcut,
                 "Where a residual network's size changes: a convolution, or padding with zeros")
      ->type_name("convolution|pad");
  app.add_option("--input", options.input, "Shape of one sample: channels,height,width")
      ->delimiter(',')
      ->type_name("N,N,...");
  app.add_option("--classes", options.classes, "Number of outputs")->type_name("N");
  app.add_option("--size", options.size, "Of language models, where nothing is said: small")
      ->type_name("small|medium|large");
  app.add_option(
         "--words", options.words, "Entries of a language model's vocabulary (0: its usual)")
      ->type_name("N");
  app.add_option("--units", options.units, "Of each of its layers (0: those of the size)")
      ->type_name("N");
  app.add_option("--layers", options.layers, "Of LSTM or GRU (0: as many as the size has)")
      ->type_name("N");
  app.add_option("--dropout",
                 options.dropout,
                 "Share that its training drops before each layer and the softmax (-1: the size's)")
      ->type_name("X");
  app.add_flag("--tied", options.tied, "Its embedding and softmax are one matrix");
}

std::string architecture_list() {
  std::string result;
  for (const Architecture& row : architectures()) {
    result += cat(row.name,
                  std::string(16 - std::min<std::size_t>(15, row.name.size()), ' '),
                  row.summary,
                  "\n");
  }
  return result;
}

std::int64_t parameter_count(const Graph& graph) {
  std::int64_t total = 0;
  for (const Parameter& parameter : trainable_parameters(graph)) {
    total += element_count(parameter.shape);
  }
  return total;
}

void add_codebook_option(CLI::App& app, std::vector<std::string>& rules) {
  std::vector<std::string> known;
  for (const SetInfo& info : known_sets()) known.emplace_back(info.form);
  app.add_option("--codebook",
                 rules,
                 cat("SET for all layers, PATTERN=SET for those with such names or kernel:1x1=SET "
                     "for kernels of "
                     "a size, the last match wins; SET is float or ",
                     join(known),
                     ", with /tensor, /channel, /gate or /none for the scale"))
      ->take_all()
      ->type_name("RULE");
}

}  // namespace lastbit
