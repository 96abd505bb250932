#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/cli/language_model.h"
#include "lastbit/cli/network_options.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/parameters.h"

namespace lastbit {

int zoo_command(int argc, char** argv) {
  CommandLine line("lastbit zoo",
                   "Lists the architectures, or writes one with seeded random weights as ONNX.\n"
                   "Example: lastbit zoo resnet18 --input 3,224,224 --classes 1000 --codebook "
                   "ternary --out resnet18.onnx");
  std::string name;
  std::string out;
  ZooOptions options;
  DataChoice text;
  const std::vector<std::string> all_float = {"float"};
  std::vector<std::string> rules = all_float;
  line.app()
      .add_option("name,--name", name, "Architecture to write; none lists them")
      ->type_name("NAME");
  line.app().add_option("--out", out, "File to write")->type_name("FILE.onnx");
  add_network_options(line.app(), options);
  line.app()
      .add_option("--seed", options.seed, "Seed of the random weights")
      ->check(CLI::NonNegativeNumber);
  add_codebook_option(line.app(), rules);
  line.app()
      .add_option("--data",
                  text.name,
                  "Text whose vocabulary a language model takes: words:PATH or characters:PATH")
      ->type_name("NAME");
  line.app()
      .add_option(
          "--data-dir", text.folder, "Folder that holds it (else $LASTBIT_DATA, then ./data)")
      ->type_name("DIR");
  if (!line.parse(argc, argv)) return 0;

  if (name.empty() && out.empty()) {
    std::cout << architecture_list();
    return 0;
  }
  const Architecture* detector = find_detector(name);
  if (detector != nullptr && line.app().count("--input") == 0) {
    options.input = {3, detector->side, detector->side};
  }
  if (out.empty()) throw InputError("[zoo] --out is missing, expected the file to write");
  std::optional<Vocabulary> vocabulary;
  if (!text.name.empty()) {
    vocabulary = open_text(text.name, {.data_dir = text.folder}).vocabulary;
    if (options.words != 0) {
      throw InputError("[zoo] --words and --data are given, expected one of them");
    }
    options.words = vocabulary->size();
  }
  Graph graph = make_network(name, options);
  if (vocabulary) set_vocabulary(graph, *vocabulary);
  if (rules != all_float) {
    const std::vector<Constraint> constraints = choose_codebooks(graph, rules);
    graph = project_weights(std::move(graph), constraints);
  }
  write_onnx(out, graph);
  std::cout << "wrote " << out << " (" << std::filesystem::file_size(out) << " bytes, "
            << parameter_count(graph) << " parameters)\n";
  return 0;
}

}  // namespace lastbit
