#include "lastbit/cli/bench_compare.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/bench_timing.h"
#include "lastbit/cli/onnxruntime.h"

namespace lastbit {
namespace {

constexpr int kRounds = 7;

template <typename Number>
void append(std::string& bytes, std::span<const Number> values) {
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

template <typename Number>
std::vector<Number> numbers(const std::string& bytes) {
  std::vector<Number> result(bytes.size() / sizeof(Number));
  std::memcpy(result.data(), bytes.data(), result.size() * sizeof(Number));
  return result;
}

// The helper's side: loads a model, gives its outputs, runs it for a turn.
class Server {
 public:
  Message answer(const Message& message) {
    const std::string task = message.head["task"];
    if (task == "load") return load(message);
    if (task == "outputs") return outputs();
    const std::vector<double> times =
        time_runs(message.head["seconds"].get<double>(), [&] { model_->run(); });
    Message reply;
    append<double>(reply.bytes, times);
    return reply;
  }

 private:
  Message load(const Message& message) {
    const nlohmann::json& head = message.head;
    std::vector<Port> inputs;
    for (const auto& input : head["inputs"]) inputs.push_back({input["name"], input["shape"]});
    outputs_ = head["outputs"].size();
    const auto before = std::chrono::steady_clock::now();
    model_ = std::make_unique<OnnxRuntime>(head["library"].get<std::string>(),
                                           head["model"].get<std::string>(),
                                           head["threads"].get<int>(),
                                           inputs,
                                           head["outputs"].get<std::vector<std::string>>());
    const std::chrono::duration<double, std::milli> time =
        std::chrono::steady_clock::now() - before;
    const char* from = message.bytes.data();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::span<float> input = model_->input(i);
      std::memcpy(input.data(), from, input.size_bytes());
      from += input.size_bytes();
    }
    return {.head = {{"version", model_->version()}, {"load_ms", time.count()}}};
  }

  Message outputs() {
    model_->run();
    Message reply;
    for (std::size_t i = 0; i < outputs_; ++i) append(reply.bytes, model_->output(i));
    return reply;
  }

  std::unique_ptr<OnnxRuntime> model_;
  std::size_t outputs_ = 0;
};

Message load_message(const std::filesystem::path& library,
                     const std::filesystem::path& model,
                     int threads,
                     const OnnxRuntimePeer::Ours& ours) {
  Message message;
  message.head = {{"task", "load"},
                  {"library", library.string()},
                  {"model", model.string()},
                  {"threads", threads},
                  {"inputs", nlohmann::json::array()},
                  {"outputs", nlohmann::json::array()}};
  for (const Port& port : ours.session.inputs()) {
    message.head["inputs"].push_back({{"name", port.name}, {"shape", port.shape}});
  }
  for (const Port& port : ours.session.outputs()) message.head["outputs"].push_back(port.name);
  for (const std::span<const float> input : ours.inputs) append(message.bytes, input);
  return message;
}

void compare_outputs(std::span<const std::span<float>> ours,
                     const std::vector<float>& theirs,
                     Comparison& result) {
  std::size_t count = 0;
  for (const std::span<float> output : ours) count += output.size();
  if (theirs.size() != count) {
    throw WorkError(cat("[onnxruntime] gives ", theirs.size(), " values, expected ", count));
  }
  auto other = theirs.begin();
  for (const std::span<float> output : ours) {
    for (const float value : output) {
      double difference = std::abs(static_cast<double>(value) - *other);
      if (!std::isfinite(difference)) difference = std::numeric_limits<double>::infinity();
      result.largest_difference = std::max(result.largest_difference, difference);
      result.largest_output =
          std::max(result.largest_output, std::abs(static_cast<double>(*other)));
      ++other;
    }
  }
}

}  // namespace

OnnxRuntimePeer::OnnxRuntimePeer(std::filesystem::path library, double patience)
    : library_(std::move(library)),
      patience_(patience),
      process_("onnxruntime", [server = std::make_shared<Server>()](const Message& message) {
        return server->answer(message);
      }) {}

Comparison OnnxRuntimePeer::compare(const std::filesystem::path& model,
                                    const SessionOptions& options,
                                    const Ours& ours,
                                    double seconds) {
  Comparison result;
  result.library = library_.string();
  const Message loaded =
      process_.ask(load_message(library_, model, options.threads, ours), patience_);
  result.version = loaded.head["version"];
  result.load_ms = loaded.head["load_ms"];

  const double turn = seconds / kRounds;
  const Message start = {.head = {{"task", "turn"}, {"seconds", turn}}};
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<double> mine = ours.turn(turn);
    const auto theirs = numbers<double>(process_.ask(start, turn + patience_).bytes);
    result.ratios.push_back(quantile(theirs, 0.5) / quantile(mine, 0.5));
    result.ours.insert(result.ours.end(), mine.begin(), mine.end());
    result.theirs.insert(result.theirs.end(), theirs.begin(), theirs.end());
  }
  for (std::vector<double>* values : {&result.ours, &result.theirs, &result.ratios}) {
    std::sort(values->begin(), values->end());
  }
  const Message outputs = process_.ask({.head = {{"task", "outputs"}}}, patience_);
  compare_outputs(ours.outputs, numbers<float>(outputs.bytes), result);
  return result;
}

std::string comparison_text(const Comparison& comparison) {
  return fmt::format(
      "ONNX Runtime {}: median {:.4f} ms, p95 {:.4f} ms, {} runs; loaded in {:.1f} ms\n"
      "LastBit is {:.2f} times as fast ({:.2f} to {:.2f} in {} rounds); outputs differ by {:.1e} "
      "at "
      "most, the largest is {:.3g}\n",
      comparison.version,
      quantile(comparison.theirs, 0.5),
      quantile(comparison.theirs, 0.95),
      comparison.theirs.size(),
      comparison.load_ms,
      quantile(comparison.ratios, 0.5),
      comparison.ratios.front(),
      comparison.ratios.back(),
      comparison.ratios.size(),
      comparison.largest_difference,
      comparison.largest_output);
}

nlohmann::ordered_json comparison_json(const Comparison& comparison) {
  return {{"runtime", "onnxruntime"},
          {"version", comparison.version},
          {"library", comparison.library},
          {"load_ms", comparison.load_ms},
          {"median_ms", quantile(comparison.theirs, 0.5)},
          {"p95_ms", quantile(comparison.theirs, 0.95)},
          {"runs", comparison.theirs.size()},
          {"rounds", comparison.ratios.size()},
          {"ratio", quantile(comparison.ratios, 0.5)},
          {"ratio_min", comparison.ratios.front()},
          {"ratio_max", comparison.ratios.back()},
          {"max_difference", comparison.largest_difference},
          {"max_output", comparison.largest_output}};
}

}  // namespace lastbit
