#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/cli/detector.h"
#include "lastbit/cli/digest.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/language_model.h"
#include "lastbit/cli/score.h"
#include "lastbit/cli/train/verify_checks.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/kernels/kernel_set.h"
#include "lastbit/train/classification.h"
#include "lastbit/train/evaluate.h"
#include "lastbit/train/network.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/startup.h"

namespace lastbit {
namespace {

// Samples on which every set of kernels runs; the slowest takes seconds for some hundred.
constexpr std::int64_t kSampled = 100;
// Of error, that integer activations may differ by.
constexpr double kInt8Points = 0.5;

// The first initializer that decodes to other bits in the other graph or is not there, or nothing.
std::optional<std::string> first_difference(const Graph& graph, const Graph& trained) {
  for (const auto& [name, initializer] : trained.initializers) {
    const Initializer* other = graph.find_initializer(name);
    if (other == nullptr || !(decode(*other) == decode(initializer))) return name;
  }
  for (const auto& [name, initializer] : graph.initializers) {
    if (trained.find_initializer(name) == nullptr) return name;
  }
  return std::nullopt;
}

Check check_trained(const Graph& graph, const std::string& path) {
  const auto difference = first_difference(graph, read_onnx(path));
  return {.claim = "decoded weights equal " + path + " bit for bit",
          .holds = !difference,
          .finding = difference ? cat("'", *difference, "' differs") : "equal"};
}

Check check_digest(const Graph& graph) {
  const auto stored = graph.metadata.find(kDigestKey);
  if (stored == graph.metadata.end()) {
    throw InputError(cat("[verify] the model carries no '",
                         kDigestKey,
                         "', expected a file that 'lastbit compress' wrote"));
  }
  const std::string found = weights_digest(graph);
  return {.claim = "decoded weights have the SHA-256 that training stored",
          .holds = found == stored->second,
          .finding = found.substr(0, 16)};
}

// Outputs of LibTorch on all samples, (examples, classes).
std::vector<float> libtorch_outputs(Network& network, const Batches& data) {
  const torch::NoGradGuard no_gradient;
  network.set_training(false);
  std::vector<float> outputs;
  for_each_batch(data, [&](const Batch& batch) {
    const torch::Tensor logits = network.forward(batch.input).contiguous();
    outputs.insert(
        outputs.end(), logits.data_ptr<float>(), logits.data_ptr<float>() + logits.numel());
  });
  return outputs;
}

struct Agreement {
  double worst = 0.0;            // largest |a - b| of a sample over its largest |a|
  std::int64_t other_class = 0;  // samples whose largest output is another, ties left out
  std::int64_t misses = 0;       // of `reference`
};

Agreement compare(const std::vector<float>& reference,
                  const RuntimeScore& ours,
                  const DatasetSource& data) {
  Agreement result;
  for (std::int64_t i = 0; i < ours.examples; ++i) {
    const float* a = reference.data() + i * ours.classes;
    const float* b = ours.outputs.data() + i * ours.classes;
    double difference = 0.0;
    double size = 0.0;
    for (std::int64_t c = 0; c < ours.classes; ++c) {
      difference = std::max(difference, std::abs(static_cast<double>(a[c]) - b[c]));
      size = std::max(size, std::abs(static_cast<double>(a[c])));
    }
    result.worst = std::max(result.worst, difference / std::max(size, 1e-30));
    const auto class_a = largest(a, ours.classes);
    const auto class_b = largest(b, ours.classes);
    // Two outputs that tie within the tolerance may come in either order.
    if (class_a != class_b && a[class_a] - a[class_b] > kTolerance * size) ++result.other_class;
    result.misses += class_a != data.labels()[static_cast<std::size_t>(i)];
  }
  return result;
}

Check check_agreement(const std::string& who, const Agreement& found, std::int64_t examples) {
  return {
      .claim = fmt::format(
          "{} agrees with LibTorch within {:g} on {} samples", who, kTolerance, examples),
      .holds = found.worst <= kTolerance && found.other_class == 0,
      .finding = fmt::format(
          "largest relative difference {:.1e}, {} other classes", found.worst, found.other_class)};
}

std::vector<Check> check_runtime(const Graph& graph, const DataChoice& choice) {
  const auto source = open_part(choice);
  Network network(graph, {});
  const SampleBatches batches(source, network.sample_shape(), torch::kCPU);
  Classification().require_fit(network, batches);
  const std::vector<float> outputs = libtorch_outputs(network, batches);
  const SessionOptions options{.batch = 100, .threads = 1};
  const RuntimeScore ours = score(graph, *source, options);
  const Agreement found = compare(outputs, ours, *source);
  const auto percent = [&](std::int64_t misses) {
    return 100.0 * static_cast<double>(misses) / static_cast<double>(ours.examples);
  };
  std::vector<Check> checks = {
      check_agreement("runtime", found, ours.examples),
      {.claim = "runtime and LibTorch have the same error",
       .holds = ours.misses == found.misses || found.other_class == 0,
       .finding = fmt::format("{:.2f}% and {:.2f}%", percent(ours.misses), percent(found.misses))}};
  for (const KernelSet* set : runnable_kernels()) {
    if (set == runnable_kernels().front()) continue;  // which has just run
    SessionOptions other = options;
    other.kernels = set->name;
    const RuntimeScore part = score(graph, *source, other, {}, kSampled);
    checks.push_back(check_agreement(
        cat("kernels '", set->name, "'"), compare(outputs, part, *source), part.examples));
  }
  SessionOptions int8 = options;
  int8.activations = Activations::kInt8;
  const RuntimeScore rounded = score(graph, *source, int8);
  checks.push_back(
      {.claim =
           fmt::format("8-bit activations change the error by {:g} points at most", kInt8Points),
       .holds = std::abs(percent(rounded.misses) - percent(ours.misses)) <= kInt8Points,
       .finding =
           fmt::format("{:.2f}% and {:.2f}%", percent(rounded.misses), percent(ours.misses))});
  return checks;
}

std::vector<Check> check_outputs(const Graph& graph,
                                 const std::string& model,
                                 const DataChoice& data) {
  if (is_language_model(graph)) {
    if (data.name.empty()) return check_language_model(graph);
    throw InputError(cat("[verify] ", model, " is a language model, expected no --data"));
  }
  if (data.name.empty()) throw InputError("[lastbit verify] --data is required");
  return is_detector(graph) ? check_detector(graph, model, data) : check_runtime(graph, data);
}

}  // namespace

int verify_command(int argc, char** argv) {
  CommandLine line(
      "lastbit verify",
      "Proves that a compressed file equals what was trained: the decoded weights bit for bit,\n"
      "the runtime's outputs and error against LibTorch's, on every set of kernels that this\n"
      "processor has, and the error of 8-bit activations; of a detector its boxes and mAP, of a\n"
      "language model its next words, on random ones. Exit code 1 if a check fails.\n"
      "Example: lastbit verify runs/ternary/compressed.onnx --data mnist");
  std::string model;
  std::string trained;
  DataChoice data;
  int threads = 0;
  bool json = false;
  line.app()
      .add_option("model,--model", model, "The compressed model")
      ->required()
      ->type_name("FILE.onnx");
  add_data_options(line.app(), data);
  add_part_option(line.app(), data);
  line.app()
      .add_option("--trained",
                  trained,
                  "Weights as trained (default trained.onnx beside the model, if there)")
      ->type_name("FILE.onnx");
  line.app()
      .add_option("--threads", threads, "Threads of LibTorch; 0 takes all")
      ->check(CLI::Range(0, 1024));
  line.app().add_flag("--json", json, "Print one JSON object");
  if (!line.parse(argc, argv)) return 0;
  configure_process(threads);

  const Graph graph = read_onnx(model);
  if (trained.empty()) {
    const auto beside = std::filesystem::path(model).parent_path() / "trained.onnx";
    if (std::filesystem::exists(beside)) trained = beside.string();
  }
  std::vector<Check> checks = {check_digest(graph)};
  if (!trained.empty()) checks.push_back(check_trained(graph, trained));
  for (Check& check : check_outputs(graph, model, data)) checks.push_back(std::move(check));

  const bool all =
      std::all_of(checks.begin(), checks.end(), [](const Check& c) { return c.holds; });
  if (json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Check& check : checks) {
      rows.push_back({{"claim", check.claim}, {"holds", check.holds}, {"finding", check.finding}});
    }
    const nlohmann::ordered_json out = {{"model", model}, {"verified", all}, {"checks", rows}};
    std::cout << json_line(out);
  } else {
    for (const Check& check : checks) {
      std::cout << (check.holds ? "ok    " : "FAIL  ") << check.claim << ": " << check.finding
                << "\n";
    }
    std::cout << model << (all ? ": verified\n" : ": NOT verified\n");
  }
  return all ? 0 : 1;
}

}  // namespace lastbit
