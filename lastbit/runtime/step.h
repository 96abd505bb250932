#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/runtime/kernels/kernel_set.h"

namespace lastbit {

/// Where the values of one run lie. A value is known by its slot.
struct Frame {
  const float* const* values;  // (slots)
  std::byte* arena;
  const std::size_t* offsets;  // (slots), in the arena; meaningless for inputs and constants
  std::byte* scratch;          // of the running step
  std::size_t scratch_stride;  // bytes between the scratch of two workers
  const KernelSet* kernels;

  const float* read(int slot) const noexcept { return values[slot]; }
  float* write(int slot) const noexcept { return reinterpret_cast<float*>(arena + offsets[slot]); }
  float* scratch_of(int worker) const noexcept {
    return reinterpret_cast<float*>(scratch + static_cast<std::size_t>(worker) * scratch_stride);
  }
  /// The values of a slot that holds no floats.
  template <typename T>
  const T* read_as(int slot) const noexcept {
    return reinterpret_cast<const T*>(values[slot]);
  }
  template <typename T>
  T* write_as(int slot) const noexcept {
    return reinterpret_cast<T*>(arena + offsets[slot]);
  }
};

/// A value that is moved or compared takes about as long as so many products of a kernel.
inline constexpr double kMove = 20.0;

/// One operator of the plan, with all that is known before data arrives. Never changes once made,
/// so forks share it.
class Step {
 public:
  virtual ~Step() = default;

  /// Parts that may be computed apart, in any order.
  virtual std::size_t units() const noexcept = 0;
  /// Multiplications, or what takes as long; decides whether threads are worth waking.
  virtual double work() const noexcept = 0;
  /// Multiplications of weights that the network asks for, without those by which blocks are filled
  /// up.
  virtual double products() const noexcept { return 0.0; }
  /// Floats of scratch that each worker needs.
  virtual std::size_t scratch_floats() const noexcept { return 0; }
  /// Bytes of the weights that the step keeps for itself.
  virtual std::size_t weight_bytes() const noexcept { return 0; }

  /// Called before each run, by one thread. @throws InputError if values cannot be computed with.
  virtual void check(const Frame& /*frame*/) const {}

  /// Computes the units [begin, end).
  virtual void run(const Frame& frame,
                   std::size_t begin,
                   std::size_t end,
                   int worker) const noexcept = 0;
};

/// Integers lie in memory as floats: those of larger magnitude are not all floats.
inline constexpr std::int64_t kLargestInteger = std::int64_t{1} << 24U;

/// An input of a node as the planner knows it.
struct Operand {
  int slot = -1;                          // where its floats lie; -1 if omitted or kept as weights
  Shape shape;                            // as in the graph
  const Initializer* constant = nullptr;  // what it is, if constant; it may have another shape
  // The values of a shape [batch, channels, spatial...] lie as [batch, spatial..., channels].
  bool channels_last = false;
  // Above 0 the slot holds bytes, of which each stands for so many times itself.
  float step = 0.0F;

  bool present() const noexcept { return slot >= 0 || constant != nullptr; }
};

/// A batch normalization that follows a product: result = factor[c] * x + shift[c].
struct ChannelAffine {
  std::vector<float> factor;
  std::vector<float> shift;
};

/// What follows a product and is computed where its result is written, in this order.
struct Fused {
  Operand bias;  // of an Add; one value an output channel
  std::optional<ChannelAffine> normalization;
  Operand residual;  // of an Add; laid out as the result
  Activation activation;
};

class PlanBuilder;
class Preparations;

/// What an operator's factory gets. It adds the operator's steps to the plan.
struct StepRequest {
  const Node* node = nullptr;
  std::vector<Operand> inputs;  // those omitted at the end too, up to the operator's most
  Operand output;
  std::vector<Operand> results;  // all outputs, for operators with several; slot -1: not wanted
  Fused fused;
  PlanBuilder* plan = nullptr;
  Preparations* preparations = nullptr;
};

/// @throws InputError "[runtime] node 'conv1' (Conv): <message>".
[[noreturn]] void refuse(const Node& node, const std::string& message);

}  // namespace lastbit
