#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/bench_profile.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/session_options.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/session.h"

namespace lastbit {
namespace {

// Random inputs for a session, and room for its outputs.
struct Buffers {
  explicit Buffers(const Session& session) {
    Random random(1);
    arrays.reserve(session.inputs().size() + session.outputs().size());
    for (const Port& port : session.inputs()) {
      arrays.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
      for (float& x : arrays.back()) x = static_cast<float>(random.uniform());
      inputs.emplace_back(arrays.back());
    }
    for (const Port& port : session.outputs()) {
      arrays.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
      outputs.emplace_back(arrays.back());
    }
  }

  std::vector<std::vector<float>> arrays;
  std::vector<std::span<const float>> inputs;
  std::vector<std::span<float>> outputs;
};

// Milliseconds of each run. Runs before the first 10% of the time are warm-up and not counted.
std::vector<double> time_runs(Session& session, double seconds) {
  const Buffers buffers(session);
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  do {
    const auto before = Clock::now();
    session.run(buffers.inputs, buffers.outputs);
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - before).count();
    if (elapsed() > 0.1 * seconds) times.push_back(ms);
  } while (elapsed() < seconds || times.empty());
  std::sort(times.begin(), times.end());
  return times;
}

// The times of all steps in some runs after those that were timed as a whole.
std::vector<std::vector<StepTime>> time_steps(Session& session, std::size_t runs) {
  const Buffers buffers(session);
  const std::size_t steps = session.steps().size();
  std::vector<std::vector<StepTime>> times(runs, std::vector<StepTime>(steps));
  for (std::vector<StepTime>& run : times) session.run(buffers.inputs, buffers.outputs, run);
  return times;
}

double quantile(const std::vector<double>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(share * last + 0.5)];
}

std::vector<StepProfile> profile_of(const Session& session,
                                    const std::vector<std::vector<StepTime>>& runs) {
  std::vector<StepProfile> profile;
  for (const StepInfo& info : session.steps()) {
    std::vector<double> times;
    for (const auto& run : runs) {
      const StepTime& time = run[profile.size()];
      times.push_back(1e3 * (time.end - time.begin));
    }
    std::sort(times.begin(), times.end());
    profile.push_back({.info = info, .milliseconds = quantile(times, 0.5)});
  }
  return profile;
}

nlohmann::ordered_json steps_json(const std::vector<StepProfile>& steps) {
  nlohmann::ordered_json result = nlohmann::ordered_json::array();
  for (const StepProfile& step : steps) {
    result.push_back({{"node", step.info.node},
                      {"step", step.info.kind},
                      {"operations", 2.0 * step.info.products},
                      {"weight_bytes", step.info.weight_bytes},
                      {"value_bytes", step.info.value_bytes},
                      {"median_ms", step.milliseconds}});
  }
  return result;
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
  bool operators = false;
  std::string trace;
  line.app().add_option("model,--model", model, "The model")->required()->type_name("FILE.onnx");
  line.app().add_option("--batch", options.batch, "Samples a run")->check(CLI::Range(1, 65536));
  line.app().add_option("--threads", options.threads, "Threads")->check(CLI::Range(1, 256));
  add_session_options(line.app(), options);
  line.app()
      .add_option("--seconds", seconds, "How long to measure")
      ->check(CLI::Range(0.001, 3600.0))
      ->type_name("S");
  line.app().add_flag("--json", json, "Print one JSON object: median_ms, p95_ms, threads");
  line.app().add_flag("--operators",
                      operators,
                      "Also print where the time goes: operations, bytes, share of the time and of "
                      "the kernels' best rate, a line a step");
  line.app()
      .add_option("--trace", trace, "Write some runs in Chrome's trace format")
      ->type_name("FILE.json");
  if (!line.parse(argc, argv)) return 0;
  if (!trace.empty()) require_writable(trace);
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
  std::vector<StepProfile> steps;
  if (operators || !trace.empty()) {
    constexpr std::size_t kRuns = 50;
    constexpr std::size_t kTracedRuns = 5;
    std::vector<std::vector<StepTime>> runs = time_steps(session, kRuns);
    steps = profile_of(session, runs);
    runs.resize(kTracedRuns);
    if (!trace.empty()) write_file(trace, chrome_trace(session.steps(), runs));
  }
  if (json) {
    nlohmann::ordered_json out = {{"model", model},
                                  {"median_ms", median},
                                  {"p95_ms", p95},
                                  {"ms_per_sample", per_sample},
                                  {"threads", options.threads},
                                  {"kernels", session.kernels()},
                                  {"batch", options.batch},
                                  {"runs", times.size()},
                                  {"weight_bytes", session.weight_bytes()},
                                  {"arena_bytes", session.arena_bytes()}};
    if (operators) out["steps"] = steps_json(steps);
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
  if (operators) {
    const double peak = options.threads * kernel_peak(session.kernels(), options.activations);
    std::cout << fmt::format("kernels {}, best rate {:.0f} Gop/s\n", session.kernels(), peak * 1e-9)
              << step_table(steps, peak);
  }
  return 0;
}

}  // namespace lastbit
