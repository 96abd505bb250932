#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// What products multiply low-bit weights with.
enum class Activations : std::uint8_t {
  kFloat,  // float32: the results of the decoded network, up to the order of sums
  kInt8,   // integers of 8 bits, made anew from the values of each run
};

struct SessionOptions {
  std::int64_t batch = 1;  ///< Size that an unknown first dimension of the inputs takes.
  /// Sizes that unknown dimensions of the inputs take, by their names, as {"sequence", 35}.
  std::map<std::string, std::int64_t, std::less<>> sizes = {};
  int threads = 1;  ///< Results do not depend on it.
  Activations activations = Activations::kFloat;
  /// Instruction set: "avx512vbmi2", "avx512vnni", "avx512", "avx2", "baseline" or "scalar" (plain
  /// loops, the definition of the others, slow), as far as this processor has it. For "fastest" the
  /// environment variable LASTBIT_KERNELS may name one. Results differ in the last bits.
  std::string kernels = "fastest";
  /// Most bytes that the values of a run may take together, so that a file whose shapes ask for
  /// more is refused before memory is taken; 0 for as many as the machine has.
  std::size_t memory_limit = 0;
};

/// An input or output of a session, of known shape.
struct Port {
  std::string name;
  Shape shape;
  /// kInt64 or kInt32 for integers, which are given as floats: whole numbers of magnitude 2^24 at
  /// most.
  DType type = DType::kFloat;
};

/// A step of a run: an operator with what it takes along, or what makes its input ready.
struct StepInfo {
  std::string node;
  std::string kind;       ///< The operator, or "relayout", "pad", "tables", "range" or
                          ///< "quantize".
  double products = 0.0;  ///< Multiplications by weights.
  std::size_t weight_bytes = 0;
  std::size_t value_bytes = 0;  ///< Of the buffers that it reads or writes.
};

/// When a step ran, in seconds from the begin of the run.
struct StepTime {
  double begin = 0.0;
  double end = 0.0;
};

/// A network ready to run. Everything is planned and allocated when it is made: `run` allocates
/// nothing. Low-bit weights stay packed in memory and are read as codes.
///
/// One session runs on one thread at a time; `fork` gives further ones that share the weights.
class Session {
 public:
  /// @throws InputError naming node and operator for what the runtime cannot run, or the value that
  ///     exceeds the limit of memory; WorkError if the system has no memory all the same.
  explicit Session(const Graph& graph, const SessionOptions& options = {});
  static Session load(const std::filesystem::path& path, const SessionOptions& options = {});

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// A session on the same weights with buffers of its own.
  Session fork() const;

  std::span<const Port> inputs() const noexcept;
  std::span<const Port> outputs() const noexcept;

  /// Runs the network. @param inputs, outputs  one float32 array a port, of the port's size, also
  ///     for integers. An array may be input and output: outputs are written when all is computed.
  /// @throws InputError if their number or a size is wrong, an input of integers holds what is
  ///     none, an index picks what is not there, or for 8-bit activations if a value is not
  ///     finite.
  void run(std::span<const std::span<const float>> inputs,
           std::span<const std::span<float>> outputs);

  /// The same, and notes when each step ran. @param times  (steps)
  void run(std::span<const std::span<const float>> inputs,
           std::span<const std::span<float>> outputs,
           std::span<StepTime> times);
  /// The steps of a run, in order.
  std::vector<StepInfo> steps() const;
  /// The kernels that run.
  const char* kernels() const noexcept;

  /// Bytes of the arena and of the weights as they lie in memory.
  std::size_t arena_bytes() const noexcept;
  std::size_t weight_bytes() const noexcept;

 private:
  class Impl;
  explicit Session(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lastbit
