#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "lastbit/cli/helper_process.h"
#include "lastbit/runtime/session.h"

namespace lastbit {

/// LastBit beside another runtime, which runs the same file on the same inputs with as many
/// threads.
struct Comparison {
  std::string version;
  std::string library;
  double load_ms = 0.0;             ///< Of the other: its session made from the file.
  std::vector<double> ours;         ///< Milliseconds of each run, sorted.
  std::vector<double> theirs;       ///< The same of the other.
  std::vector<double> ratios;       ///< Of each round: their median over ours; sorted.
  double largest_difference = 0.0;  ///< Between outputs; infinite where one is not finite.
  double largest_output = 0.0;      ///< Of the other, by absolute value.
  /// Rows of the outputs of NonMaxSuppression, which the two above leave out.
  std::size_t selections = 0;
  std::size_t other_selections = 0;  ///< That one of the two has alone.
};

/// ONNX Runtime in a process of its own.
class OnnxRuntimePeer {
 public:
  /// Starts the process; no other thread may run yet.
  /// @param patience  seconds that it may take to load, or longer than a turn.
  OnnxRuntimePeer(std::filesystem::path library, double patience);

  /// What `compare` needs to know of LastBit.
  struct Ours {
    const Graph& graph;
    const Session& session;
    std::span<const std::span<const float>> inputs;
    std::span<const std::span<float>> outputs;  ///< Holds the results after `turn`.
    /// Runs for so many seconds. @return milliseconds of each run, sorted.
    std::function<std::vector<double>(double seconds)> turn;
  };

  /// Loads `model` and takes turns with LastBit for `seconds` each in total.
  /// @throws WorkError if ONNX Runtime cannot run the file, or is stuck.
  Comparison compare(const std::filesystem::path& model,
                     const SessionOptions& options,
                     const Ours& ours,
                     double seconds);

 private:
  std::filesystem::path library_;
  double patience_;
  HelperProcess process_;
};

/// Two lines for a person.
std::string comparison_text(const Comparison& comparison);
/// The same for programs.
nlohmann::ordered_json comparison_json(const Comparison& comparison);

}  // namespace lastbit
