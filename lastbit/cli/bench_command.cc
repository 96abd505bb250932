#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/progress.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/session.h"

namespace lastbit {
namespace {

// Milliseconds of each run. Runs before the first 10% of the time are warm-up and not counted.
std::vector<double> time_runs(Session& session, double seconds) {
  std::vector<std::vector<float>> buffers;
  std::vector<std::span<const float>> inputs;
  std::vector<std::span<float>> outputs;
  Random random(1);
  buffers.reserve(session.inputs().size() + session.outputs().size());
  for (const Port& port : session.inputs()) {
    buffers.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
    for (float& x : buffers.back()) x = static_cast<float>(random.uniform());
    inputs.emplace_back(buffers.back());
  }
  for (const Port& port : session.outputs()) {
    buffers.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
    outputs.emplace_back(buffers.back());
  }
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  do {
    const auto before = Clock::now();
    session.run(inputs, outputs);
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - before).count();
    if (elapsed() > 0.1 * seconds) times.push_back(ms);
  } while (elapsed() < seconds || times.empty());
  std::sort(times.begin(), times.end());
  return times;
}

double quantile(const std::vector<double>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(share * last + 0.5)];
}

}  // namespace

int bench_command(int argc, char** argv) {
  CommandLine line("lastbit bench",
                   "Latency of a model in LastBit's runtime, on random inputs.\n"
                   "Example: lastbit bench compressed.onnx --threads 2");
  std::string model;
  SessionOptions options;
  double seconds = 2.0;
  bool json = false;
  line.app().add_option("model,--model", model, "The model")->required()->type_name("FILE.onnx");
  line.app().add_option("--batch", options.batch, "Samples a run")->check(CLI::Range(1, 65536));
  line.app().add_option("--threads", options.threads, "Threads")->check(CLI::Range(1, 1024));
  line.app()
      .add_option("--seconds", seconds, "How long to measure")
      ->check(CLI::Range(0.001, 3600.0))
      ->type_name("S");
  line.app().add_flag("--json", json, "Print one JSON object: median_ms, p95_ms, threads");
  if (!line.parse(argc, argv)) return 0;
  if (std::isnan(seconds)) throw InputError("[bench] --seconds is nan, expected a number");

  const Graph graph = read_onnx(model);
  const auto before = std::chrono::steady_clock::now();
  Session session(graph, options);
  const double load_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before).count();
  const std::vector<double> times = time_runs(session, seconds);
  const double median = quantile(times, 0.5);
  const double p95 = quantile(times, 0.95);
  const double per_sample = median / static_cast<double>(options.batch);
  if (json) {
    const nlohmann::ordered_json out = {{"model", model},
                                        {"median_ms", median},
                                        {"p95_ms", p95},
                                        {"ms_per_sample", per_sample},
                                        {"threads", options.threads},
                                        {"batch", options.batch},
                                        {"runs", times.size()},
                                        {"weight_bytes", session.weight_bytes()},
                                        {"arena_bytes", session.arena_bytes()}};
    std::cout << json_line(out);
    return 0;
  }
  std::cout
      << fmt::format(
             "{}: median {:.4f} ms, p95 {:.4f} ms a run of {} ({:.4f} ms a sample), {} thread{}, "
             "{} runs\n",
             model,
             median,
             p95,
             options.batch,
             per_sample,
             options.threads,
             options.threads == 1 ? "" : "s",
             times.size())
      << fmt::format("prepared in {:.1f} ms; weights {}, buffers {}\n",
                     load_ms,
                     bytes_text(static_cast<double>(session.weight_bytes())),
                     bytes_text(static_cast<double>(session.arena_bytes())));
  return 0;
}

}  // namespace lastbit
