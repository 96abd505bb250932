#include <filesystem>
#include <iostream>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/score.h"
#include "lastbit/cli/session_options.h"
#include "lastbit/graph/onnx.h"

namespace lastbit {

int eval_command(int argc, char** argv) {
  CommandLine line("lastbit eval",
                   "Error and loss of a model on a data set, by LastBit's own runtime.\n"
                   "Example: lastbit eval compressed.onnx --data mnist");
  std::string model;
  DataChoice data;
  SessionOptions session{.batch = 100, .threads = 1};
  bool json = false;
  line.app().add_option("model,--model", model, "The model")->required()->type_name("FILE.onnx");
  add_data_options(line.app(), data)->required();
  add_part_option(line.app(), data);
  line.app().add_option("--batch", session.batch, "Samples at a time")->check(CLI::Range(1, 65536));
  line.app().add_option("--threads", session.threads, "Threads")->check(CLI::Range(1, 256));
  add_session_options(line.app(), session);
  line.app().add_flag("--json", json, "Print one JSON object: error (percent), loss, examples");
  if (!line.parse(argc, argv)) return 0;

  const Graph graph = read_onnx(model);
  const auto source = open_part(data);
  RuntimeScore result;
  {
    ProgressBar bar(source->size(), "images");
    result = score(graph, *source, session, [&](std::int64_t done) { bar.update(done, ""); });
  }
  report_skipped({source.get()});
  const double error = 100.0 * result.error();
  if (json) {
    const nlohmann::ordered_json out = {{"model", model},
                                        {"data", data.name},
                                        {"part", data.part},
                                        {"error", error},
                                        {"loss", result.loss},
                                        {"examples", result.examples},
                                        {"bytes", std::filesystem::file_size(model)}};
    std::cout << json_line(out);
  } else {
    std::cout << fmt::format("{}: error {:.2f}% ({} of {}), loss {:.4f}\n",
                             model,
                             error,
                             result.misses,
                             result.examples,
                             result.loss);
  }
  return 0;
}

}  // namespace lastbit
