#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "lastbit/runtime/session.h"

namespace lastbit {

/// Finds the shared library in the package `onnxruntime-node` of npm.
///
/// @param given  the library itself, the package's folder, or a folder whose `node_modules` holds
/// the
///     package. Empty searches as node does, from the current folder upwards and in the folders of
///     the environment variable NODE_PATH, and then in `build/onnxruntime` of the current folder.
/// @throws InputError that says how to install the package.
std::filesystem::path find_onnxruntime(const std::filesystem::path& given);

/// A model in ONNX Runtime, through the C interface of its shared library, which is loaded when an
/// object is made. Inputs and outputs are float32, int64 or int32. What it makes lives as long as
/// the process.
class OnnxRuntime {
 public:
  /// @param threads  of a single operator (intra-op); operators run one after another.
  /// @param outputs  their shapes are not looked at.
  /// @throws WorkError for a library that is none of ONNX Runtime, or with ONNX Runtime's reason.
  OnnxRuntime(const std::filesystem::path& library,
              const std::filesystem::path& model,
              int threads,
              const std::vector<Port>& inputs,
              const std::vector<Port>& outputs);
  OnnxRuntime(const OnnxRuntime&) = delete;
  OnnxRuntime& operator=(const OnnxRuntime&) = delete;

  /// As "1.23.0".
  const std::string& version() const noexcept { return version_; }
  /// Sets input `i`. @param values  whole numbers for integers.
  void set_input(std::size_t i, std::span<const float> values);
  /// ONNX Runtime makes room for the outputs in the first run, which all others use again.
  void run();
  /// Of the last run. @throws WorkError for values of another type than the port's.
  std::vector<float> output(std::size_t i) const;

 private:
  template <typename... Arguments>
  void invoke(std::size_t place, Arguments... arguments) const;

  std::string version_;
  const void* const* api_ = nullptr;
  void* session_ = nullptr;
  std::vector<Port> ports_;                     // the inputs, then the outputs
  std::vector<std::vector<std::byte>> inputs_;  // of the inputs
  std::vector<const char*> names_;              // of the ports
  std::vector<const void*> input_tensors_;
  std::vector<void*> output_tensors_;
};

}  // namespace lastbit
