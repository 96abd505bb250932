#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/file.h"
#include "lastbit/base/random.h"
#include "lastbit/cli/bench_compare.h"
#include "lastbit/cli/bench_profile.h"
#include "lastbit/cli/bench_timing.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/model_inputs.h"
#include "lastbit/cli/onnxruntime.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/session_options.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/session.h"

namespace lastbit {
namespace {

// Random inputs for a session, and room for its outputs.
struct Buffers {
  Buffers(const Graph& graph, const Session& session) {
    Random random(1);
    arrays = random_inputs(graph, session, random);
    inputs.assign(arrays.begin(), arrays.end());
    for (const Port& port : session.outputs()) {
      results.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
      outputs.emplace_back(results.back());
    }
  }

  std::vector<std::vector<float>> arrays;
  std::vector<std::vector<float>> results;
  std::vector<std::span<const float>> inputs;
  std::vector<std::span<float>> outputs;
};

// The times of all steps in some runs after those that were timed as a whole.
std::vector<std::vector<StepTime>> time_steps(Session& session,
                                              const Buffers& buffers,
                                              std::size_t runs) {
  const std::size_t steps = session.steps().size();
  std::vector<std::vector<StepTime>> times(runs, std::vector<StepTime>(steps));
  for (std::vector<StepTime>& run : times) session.run(buffers.inputs, buffers.outputs, run);
  return times;
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

struct Options {
  std::string model;
  SessionOptions session;
  double seconds = 2.0;
  bool json = false;
  bool operators = false;
  std::string trace;
  std::string compare;
  std::string onnxruntime;
  double patience = 60.0;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("model,--model", options.model, "The model")->required()->type_name("FILE.onnx");
  app.add_option("--batch", options.session.batch, "Samples a run")->check(CLI::Range(1, 65536));
  app.add_option("--threads", options.session.threads, "Threads")->check(CLI::Range(1, 256));
  add_session_options(app, options.session);
  app.add_option("--seconds", options.seconds, "How long to measure")
      ->check(number_from(0.001, 3600.0))
      ->type_name("S");
  app.add_flag("--json", options.json, "Print one JSON object: median_ms, p95_ms, threads");
  app.add_flag("--operators",
               options.operators,
               "Also print where the time goes: operations, bytes, share of the time and of "
               "the kernels' best rate, a line a step");
  app.add_option("--trace", options.trace, "Write some runs in Chrome's trace format")
      ->type_name("FILE.json");
  auto* compare =
      app.add_option("--compare",
                     options.compare,
                     "Run the same file in ONNX Runtime too, in turns, on as many threads: needs "
                     "npm's package onnxruntime-node")
          ->check(CLI::IsMember({"onnxruntime"}))
          ->type_name("onnxruntime");
  app.add_option("--onnxruntime",
                 options.onnxruntime,
                 "Where that package is, or a folder whose node_modules holds it, or the library "
                 "libonnxruntime.so itself; else it is looked for as node does")
      ->needs(compare)
      ->type_name("PATH");
  app.add_option("--patience",
                 options.patience,
                 "How long the other runtime may take to load, or beyond its turn")
      ->needs(compare)
      ->check(number_from(0.001, 86400.0))
      ->type_name("S");
}

struct Results {
  double load_ms = 0.0;
  std::vector<double> times;  // milliseconds, sorted
  std::optional<Comparison> comparison;
  std::vector<StepProfile> steps;
};

void print_json(const Options& options, const Session& session, const Results& results) {
  const double median = quantile(results.times, 0.5);
  nlohmann::ordered_json out = {
      {"model", options.model},
      {"median_ms", median},
      {"p95_ms", quantile(results.times, 0.95)},
      {"ms_per_sample", median / static_cast<double>(options.session.batch)},
      {"threads", options.session.threads},
      {"kernels", session.kernels()},
      {"batch", options.session.batch},
      {"runs", results.times.size()},
      {"weight_bytes", session.weight_bytes()},
      {"arena_bytes", session.arena_bytes()}};
  if (results.comparison) out["compare"] = comparison_json(*results.comparison);
  if (options.operators) out["steps"] = steps_json(results.steps);
  std::cout << json_line(out);
}

void print_text(const Options& options, const Session& session, const Results& results) {
  const double median = quantile(results.times, 0.5);
  const int threads = options.session.threads;
  std::cout
      << fmt::format(
             "{}: median {:.4f} ms, p95 {:.4f} ms a run of {} ({:.4f} ms a sample), {} thread{}, "
             "{} runs\n",
             options.model,
             median,
             quantile(results.times, 0.95),
             options.session.batch,
             median / static_cast<double>(options.session.batch),
             threads,
             threads == 1 ? "" : "s",
             results.times.size())
      << fmt::format("prepared in {:.1f} ms; weights {}, buffers {}\n",
                     results.load_ms,
                     bytes_text(static_cast<double>(session.weight_bytes())),
                     bytes_text(static_cast<double>(session.arena_bytes())));
  if (results.comparison) std::cout << comparison_text(*results.comparison);
  if (options.operators) {
    const double peak = threads * kernel_peak(session.kernels(), options.session.activations);
    std::cout << fmt::format("kernels {}, best rate {:.0f} Gop/s\n", session.kernels(), peak * 1e-9)
              << step_table(results.steps, peak);
  }
}

}  // namespace

int bench_command(int argc, char** argv) {
  CommandLine line("lastbit bench",
                   "Latency of a model in LastBit's runtime, on random inputs.\n"
                   "Example: lastbit bench compressed.onnx --threads 2");
  line.save_given_options_alone();  // --patience needs --compare
  Options options;
  add_options(line.app(), options);
  if (!line.parse(argc, argv)) return 0;
  if (!options.trace.empty()) require_writable(options.trace);

  const Graph graph = read_onnx(options.model);
  options.session = with_sizes(graph, options.session);
  std::optional<OnnxRuntimePeer> peer;  // before the session, whose threads it must not copy
  if (!options.compare.empty()) {
    peer.emplace(find_onnxruntime(options.onnxruntime), options.patience);
  }
  Results results;
  const auto before = std::chrono::steady_clock::now();
  Session session(graph, options.session);
  results.load_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before).count();
  const Buffers buffers(graph, session);
  const auto turn = [&](double seconds) {
    return time_runs(seconds, [&] { session.run(buffers.inputs, buffers.outputs); });
  };
  if (peer) {
    results.comparison = peer->compare(options.model,
                                       options.session,
                                       {.graph = graph,
                                        .session = session,
                                        .inputs = buffers.inputs,
                                        .outputs = buffers.outputs,
                                        .turn = turn},
                                       options.seconds);
    results.times = results.comparison->ours;
  } else {
    results.times = turn(options.seconds);
  }
  if (options.operators || !options.trace.empty()) {
    constexpr std::size_t kRuns = 50;
    constexpr std::size_t kTracedRuns = 5;
    std::vector<std::vector<StepTime>> runs = time_steps(session, buffers, kRuns);
    results.steps = profile_of(session, runs);
    runs.resize(kTracedRuns);
    if (!options.trace.empty()) write_file(options.trace, chrome_trace(session.steps(), runs));
  }
  if (options.json) {
    print_json(options, session, results);
  } else {
    print_text(options, session, results);
  }
  return 0;
}

}  // namespace lastbit
