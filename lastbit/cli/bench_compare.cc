#include "lastbit/cli/bench_compare.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/bench_timing.h"
#include "lastbit/cli/model_inputs.h"
#include "lastbit/cli/onnxruntime.h"
#include "lastbit/runtime/suppression.h"

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

nlohmann::json describe(std::span<const Port> ports) {
  nlohmann::json result = nlohmann::json::array();
  for (const Port& port : ports) {
    result.push_back(
        {{"name", port.name}, {"shape", port.shape}, {"type", static_cast<int>(port.type)}});
  }
  return result;
}

std::vector<Port> ports_of(const nlohmann::json& list) {
  std::vector<Port> ports;
  for (const auto& port : list) {
    ports.push_back({port["name"], port["shape"], static_cast<DType>(port["type"].get<int>())});
  }
  return ports;
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
    const std::vector<Port> inputs = ports_of(head["inputs"]);
    const std::vector<Port> outputs = ports_of(head["outputs"]);
    outputs_ = outputs.size();
    const auto before = std::chrono::steady_clock::now();
    model_ = std::make_unique<OnnxRuntime>(head["library"].get<std::string>(),
                                           head["model"].get<std::string>(),
                                           head["threads"].get<int>(),
                                           inputs,
                                           outputs);
    const std::chrono::duration<double, std::milli> time =
        std::chrono::steady_clock::now() - before;
    const std::vector<float> values = numbers<float>(message.bytes);
    std::span<const float> rest = values;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto count = static_cast<std::size_t>(element_count(inputs[i].shape));
      model_->set_input(i, rest.first(count));
      rest = rest.subspan(count);
    }
    return {.head = {{"version", model_->version()}, {"load_ms", time.count()}}};
  }

  Message outputs() {
    model_->run();
    Message reply = {.head = {{"counts", nlohmann::json::array()}}};
    for (std::size_t i = 0; i < outputs_; ++i) {
      const std::vector<float> values = model_->output(i);
      append<float>(reply.bytes, values);
      reply.head["counts"].push_back(values.size());
    }
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
                  {"inputs", describe(ours.session.inputs())},
                  {"outputs", describe(ours.session.outputs())}};
  for (const std::span<const float> input : ours.inputs) append(message.bytes, input);
  return message;
}

void compare_numbers(std::span<const float> ours,
                     std::span<const float> theirs,
                     Comparison& result) {
  if (theirs.size() != ours.size()) {
    throw WorkError(cat("[onnxruntime] gives ", theirs.size(), " values, expected ", ours.size()));
  }
  for (std::size_t i = 0; i < ours.size(); ++i) {
    double difference = std::abs(static_cast<double>(ours[i]) - theirs[i]);
    if (!std::isfinite(difference)) difference = std::numeric_limits<double>::infinity();
    result.largest_difference = std::max(result.largest_difference, difference);
    result.largest_output =
        std::max(result.largest_output, std::abs(static_cast<double>(theirs[i])));
  }
}

using Selections = std::set<std::array<float, 3>>;

Selections rows_of(std::span<const float> values) {
  Selections rows;
  for (std::size_t i = 0; i + 2 < values.size(); i += 3) {
    rows.insert({values[i], values[i + 1], values[i + 2]});
  }
  return rows;
}

void compare_selections(std::span<const float> ours,
                        std::span<const float> theirs,
                        Comparison& result) {
  const Selections mine = rows_of(ours.first(3 * selected_rows(ours)));
  const Selections others = rows_of(theirs);
  std::vector<Selections::value_type> alone;
  std::ranges::set_symmetric_difference(mine, others, std::back_inserter(alone));
  result.selections += others.size();
  result.other_selections += alone.size();
}

void compare_outputs(const OnnxRuntimePeer::Ours& ours,
                     const Message& outputs,
                     Comparison& result) {
  const std::vector<float> values = numbers<float>(outputs.bytes);
  std::span<const float> rest = values;
  for (std::size_t i = 0; i < ours.outputs.size(); ++i) {
    const auto theirs = rest.first(outputs.head["counts"][i].get<std::size_t>());
    rest = rest.subspan(theirs.size());
    const bool selection = is_selection(ours.graph, ours.session.outputs()[i].name);
    const auto compare = selection ? compare_selections : compare_numbers;
    compare(ours.outputs[i], theirs, result);
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
  compare_outputs(ours, outputs, result);
  return result;
}

std::string comparison_text(const Comparison& comparison) {
  return fmt::format(
      "ONNX Runtime {}: median {:.4f} ms, p95 {:.4f} ms, {} runs; loaded in {:.1f} ms\n"
      "LastBit is {:.2f} times as fast ({:.2f} to {:.2f} in {} rounds); outputs differ by {:.1e} "
      "at "
      "most, the largest is {:.3g}{}\n",
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
      comparison.largest_output,
      comparison.selections == 0 ? ""
                                 : cat("; of ",
                                       comparison.selections,
                                       " selected boxes ",
                                       comparison.other_selections,
                                       " differ"));
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
          {"max_output", comparison.largest_output},
          {"selections", comparison.selections},
          {"other_selections", comparison.other_selections}};
}

}  // namespace lastbit
