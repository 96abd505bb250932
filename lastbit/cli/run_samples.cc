#include "lastbit/cli/run_samples.h"

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "lastbit/cli/progress.h"
#include "lastbit/cli/score.h"
#include "lastbit/data/npy.h"

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

void write_inputs(const DatasetSource& source, const std::string& file) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(source.size()));
  std::iota(all.begin(), all.end(), 0);
  Shape shape(source.sample_shape().begin(), source.sample_shape().end());
  shape.insert(shape.begin(), source.size());
  std::vector<float> samples(static_cast<std::size_t>(element_count(shape)));
  source.gather(all, samples);
  write_npy(file, shape, samples);
  std::cout << "wrote " << file << " " << to_string(shape) << "\n";
}

}  // namespace

void run_on_samples(const Graph& graph, const SampleRun& run) {
  const auto source = open_part(run.data);
  RuntimeScore result;
  {
    ProgressBar bar(source->size(), "images");
    result = score(graph, *source, run.session, [&](std::int64_t done) { bar.update(done, ""); });
  }
  report_skipped({source->skipped()});
  if (!run.inputs_out.empty()) write_inputs(*source, run.inputs_out);
  if (run.out.empty()) {
    print_first_rows(result);
  } else {
    const Shape shape = {result.examples, result.classes};
    write_npy(run.out, shape, result.outputs);
    std::cout << "wrote " << run.out << " " << to_string(shape) << "\n";
  }
}

}  // namespace lastbit
