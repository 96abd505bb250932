#include <algorithm>
#include <iostream>
#include <string>

#include <fmt/format.h>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/score.h"
#include "lastbit/cli/session_options.h"
#include "lastbit/data/npy.h"
#include "lastbit/graph/onnx.h"

namespace lastbit {
namespace {

void print_first_rows(const RuntimeScore& result) {
  constexpr std::int64_t kShown = 10;
  for (std::int64_t i = 0; i < std::min(kShown, result.examples); ++i) {
    const float* row = result.outputs.data() + i * result.classes;
    const std::int64_t best = largest(row, result.classes);
    std::cout << fmt::format("sample {}: class {} ({:.4f})\n", i, best, row[best]);
  }
  if (result.examples > kShown) std::cout << "(--out FILE.npy writes all)\n";
}

}  // namespace

int run_command(int argc, char** argv) {
  CommandLine line("lastbit run",
                   "Runs a model on samples and writes its outputs as float32 [samples, classes].\n"
                   "Example: lastbit run compressed.onnx --data mnist --out outputs.npy");
  std::string model;
  std::string out;
  std::string inputs_out;
  DataChoice data;
  SessionOptions session{.batch = 100, .threads = 1};
  line.app().add_option("model,--model", model, "The model")->required()->type_name("FILE.onnx");
  add_data_options(line.app(), data)->required();
  add_part_option(line.app(), data);
  line.app()
      .add_option("--out", out, "File for the outputs; none prints the first")
      ->type_name("FILE.npy");
  line.app()
      .add_option("--inputs-out", inputs_out, "File for the inputs, to feed another runtime")
      ->type_name("FILE.npy");
  line.app().add_option("--batch", session.batch, "Samples at a time")->check(CLI::Range(1, 65536));
  line.app().add_option("--threads", session.threads, "Threads")->check(CLI::Range(1, 256));
  add_session_options(line.app(), session);
  if (!line.parse(argc, argv)) return 0;

  for (const std::string& file : {out, inputs_out}) {
    if (!file.empty()) require_writable(file);
  }
  const Graph graph = read_onnx(model);
  const auto source = open_part(data);
  RuntimeScore result;
  {
    ProgressBar bar(source->size(), "images");
    result = score(graph, *source, session, [&](std::int64_t done) { bar.update(done, ""); });
  }
  report_skipped({source.get()});
  if (!inputs_out.empty()) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(source->size()));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
    Shape shape(source->sample_shape().begin(), source->sample_shape().end());
    shape.insert(shape.begin(), source->size());
    std::vector<float> samples(static_cast<std::size_t>(element_count(shape)));
    source->gather(all, samples);
    write_npy(inputs_out, shape, samples);
    std::cout << "wrote " << inputs_out << " " << to_string(shape) << "\n";
  }
  if (out.empty()) {
    print_first_rows(result);
  } else {
    const Shape shape = {result.examples, result.classes};
    write_npy(out, shape, result.outputs);
    std::cout << "wrote " << out << " " << to_string(shape) << "\n";
  }
  return 0;
}

}  // namespace lastbit
