#include <filesystem>
#include <iostream>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/cli/eval_detector.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/score.h"
#include "lastbit/cli/session_options.h"
#include "lastbit/cli/text_commands.h"
#include "lastbit/graph/onnx.h"

namespace lastbit {

int eval_command(int argc, char** argv) {
  CommandLine line(
      "lastbit eval",
      "Error and loss of a model on a data set, mean average precision (mAP) of a detector on\n"
      "images with boxes, perplexity or bits a character of a language model on a text, by\n"
      "LastBit's own runtime.\n"
      "Example: lastbit eval compressed.onnx --data mnist\n"
      "Example: lastbit eval detector.onnx --data voc:VOCdevkit/VOC2007");
  std::string model;
  DataChoice data;
  SessionOptions session{.batch = 100, .threads = 1};
  std::string rule = "11";
  bool json = false;
  line.app().add_option("model,--model", model, "The model")->required()->type_name("FILE.onnx");
  add_data_options(line.app(), data)->required();
  add_part_option(line.app(), data);
  const CLI::Option* batch = line.app()
                                 .add_option("--batch", session.batch, "Samples at a time")
                                 ->check(CLI::Range(1, 65536));
  line.app().add_option("--threads", session.threads, "Threads")->check(CLI::Range(1, 256));
  add_session_options(line.app(), session);
  line.app()
      .add_option("--rule",
                  rule,
                  "How a detector's average precision is computed: 11, as VOC 2007, from eleven "
                  "recalls; area, as from VOC 2010 on")
      ->check(CLI::IsMember({"11", "area"}))
      ->type_name("11|area");
  line.app().add_flag("--json",
                      json,
                      "Print one JSON object: error (percent), loss, examples; of a detector map "
                      "and classes; of a text perplexity, bits, loss");
  if (!line.parse(argc, argv)) return 0;

  if (is_text_name(data.name)) {
    if (batch->count() > 0) {
      throw InputError("[eval] --batch does not fit a text, which is read once from its begin");
    }
    if (!session.sizes.empty()) {
      throw InputError(
          "[eval] --size does not fit a text, whose steps are as many as it has words");
    }
    return eval_text(model, data, session, json);
  }
  const Graph graph = read_onnx(model);
  refuse_language_model(graph, model);
  if (is_detection_name(data.name)) {
    session.batch = 1;
    evaluate_detector(graph,
                      {.model = model,
                       .data = data,
                       .json = json,
                       .rule = rule == "area" ? PrecisionRule::kArea : PrecisionRule::kElevenPoint,
                       .session = session});
    return 0;
  }
  if (is_detector(graph)) {
    throw InputError(cat("[eval] ", model, " is a detector, expected --data voc:PATH"));
  }
  const auto source = open_part(data);
  RuntimeScore result;
  {
    ProgressBar bar(source->size(), "images");
    result = score(graph, *source, session, [&](std::int64_t done) { bar.update(done, ""); });
  }
  report_skipped({source->skipped()});
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
