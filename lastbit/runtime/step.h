#pragma once

#include <cstddef>
#include <memory>
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
};

/// One operator of the plan, with all that is known before data arrives. Never changes once made,
/// so forks share it.
class Step {
 public:
  virtual ~Step() = default;

  /// Parts that may be computed apart, in any order.
  virtual std::size_t units() const noexcept = 0;
  /// Multiplications, or what takes as long; decides whether threads are worth waking.
  virtual double work() const noexcept = 0;
  /// Floats of scratch that each worker needs.
  virtual std::size_t scratch_floats() const noexcept { return 0; }
  /// Bytes of the weights that the step keeps for itself.
  virtual std::size_t weight_bytes() const noexcept { return 0; }

  /// Computes the units [begin, end).
  virtual void run(const Frame& frame,
                   std::size_t begin,
                   std::size_t end,
                   int worker) const noexcept = 0;
};

/// An input of a node as the planner knows it.
struct Operand {
  int slot = -1;  // where its floats lie; -1 if omitted or kept as weights
  Shape shape;
  const Initializer* constant = nullptr;  // what it is, if constant; it may have another shape

  bool present() const noexcept { return slot >= 0 || constant != nullptr; }
};

/// What an operator's factory gets.
struct StepRequest {
  const Node* node = nullptr;
  std::vector<Operand> inputs;  // those omitted at the end too, up to the operator's most
  Operand output;
  Operand bias;           // of a fused Add; one value an output channel
  Activation activation;  // fused
};

/// @throws InputError "[runtime] node 'conv1' (Conv): <message>".
[[noreturn]] void refuse(const Node& node, const std::string& message);

}  // namespace lastbit
