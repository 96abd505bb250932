#include <string>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/cli/run_detector.h"
#include "lastbit/cli/run_samples.h"
#include "lastbit/cli/session_options.h"
#include "lastbit/cli/text_commands.h"
#include "lastbit/graph/onnx.h"

namespace lastbit {
namespace {

void add_picture_options(CLI::App& app, PictureRun& run) {
  auto* pictures = app.add_option("pictures,--pictures",
                                  run.pictures,
                                  "For a detector: a JPEG or PNG file, or a folder of them")
                       ->type_name("PATH")
                       ->excludes("--data");
  app.add_option("--min-score", run.min_score, "Lists detections with a score above this")
      ->needs(pictures)
      ->check(number_from(0.0, 1.0))
      ->type_name("SCORE");
  app.add_option("--most", run.most, "Lists at most so many detections a picture")
      ->needs(pictures)
      ->check(CLI::Range(1, 1'000'000));
  app.add_flag("--json",
               run.json,
               "Print a line of JSON a picture: file, width, height, detections (class, score, "
               "left, top, right, bottom in pixels)")
      ->needs(pictures);
}

}  // namespace

int run_command(int argc, char** argv) {
  CommandLine line("lastbit run",
                   "Runs a model on samples and writes its outputs as float32 [samples, classes],\n"
                   "a detector on pictures, whose boxes it lists and draws,\n"
                   "or lets a language model go on with a prompt.\n"
                   "Example: lastbit run compressed.onnx --data mnist --out outputs.npy\n"
                   "Example: lastbit run detector.onnx photo.jpg --out boxes.png\n"
                   "Example: lastbit run language.onnx --prompt 'the company' --tokens 50");
  // What one way of running needs is an error in the others.
  line.save_given_options_alone();
  std::string model;
  std::string out;
  SampleRun samples;
  samples.session.batch = 100;
  PictureRun pictures;
  CLI::App& app = line.app();
  app.add_option("model,--model", model, "The model")->required()->type_name("FILE.onnx");
  auto* data = add_data_options(app, samples.data);
  add_part_option(app, samples.data);
  add_picture_options(app, pictures);
  app.add_option("--out",
                 out,
                 "File for the outputs, or for the picture with its boxes (a folder for a folder "
                 "of pictures); none prints them")
      ->type_name("FILE");
  app.add_option("--inputs-out", samples.inputs_out, "File for the inputs, to feed another runtime")
      ->needs(data)
      ->type_name("FILE.npy");
  app.add_option("--batch", samples.session.batch, "Samples at a time")
      ->needs(data)
      ->check(CLI::Range(1, 65536));
  app.add_option("--threads", samples.session.threads, "Threads")->check(CLI::Range(1, 256));
  add_session_options(app, samples.session);
  PromptOptions prompt;
  CLI::Option* const prompt_option = add_prompt_options(app, prompt);
  for (const char* const other :
       {"--data", "--pictures", "--part", "--out", "--inputs-out", "--batch", "--size"}) {
    prompt_option->excludes(app.get_option(other));
  }
  if (!line.parse(argc, argv)) return 0;

  if (prompt_option->count() > 0) return run_prompt(model, prompt, samples.session);
  if (!pictures.pictures.empty()) {
    pictures.model = model;
    pictures.out = out;
    pictures.strict = samples.data.strict;
    pictures.session = samples.session;
    pictures.session.batch = 1;
    run_on_pictures(read_onnx(model), pictures);
    return 0;
  }
  if (samples.data.name.empty()) {
    throw InputError(
        "[lastbit run] nothing to run on, expected --data NAME, a picture for a detector, or "
        "--prompt for a language model");
  }
  samples.out = out;
  for (const std::string& file : {samples.out, samples.inputs_out}) {
    if (!file.empty()) require_writable(file);
  }
  const Graph graph = read_onnx(model);
  refuse_language_model(graph, model);
  run_on_samples(graph, samples);
  return 0;
}

}  // namespace lastbit
