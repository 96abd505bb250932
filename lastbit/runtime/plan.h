#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/runtime/arena.h"
#include "lastbit/runtime/session.h"
#include "lastbit/runtime/step.h"

namespace lastbit {

/// All that is known of a session before data arrives. Never changes once made; forks share it.
///
/// A *slot* is an array of floats: an input, a constant, or a buffer of the arena. Values that
/// differ in shape alone share one.
struct Plan {
  struct PlannedStep {
    std::unique_ptr<const Step> step;
    std::string node = {};  // what it is for
    std::string kind = {};
    std::size_t value_bytes = 0;     // of the buffers that it reads or writes
    std::size_t scratch_offset = 0;  // in the arena
    std::size_t scratch_stride = 0;  // bytes between two workers
  };

  Activations activations = Activations::kFloat;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::vector<int> input_slots;   // (inputs)
  std::vector<int> output_slots;  // (outputs)
  std::vector<PlannedStep> steps;
  std::vector<const float*> constants;  // (slots); null for inputs and buffers
  std::vector<bool> in_arena;           // (slots)
  std::vector<std::size_t> offsets;     // (slots); of those in the arena
  std::vector<Lifetime> lifetimes;  // of all buffers, scratch too; what `place_buffers` was given
  std::size_t arena_bytes = 0;
  std::size_t weight_bytes = 0;
  std::vector<Tensor> kept;  // owns `constants`
};

/// @param kernels  what the steps will run with; a forked session keeps them.
/// @throws InputError naming node and operator for what the runtime cannot run.
std::shared_ptr<const Plan> make_plan(const Graph& graph,
                                      const SessionOptions& options,
                                      const KernelSet& kernels);

}  // namespace lastbit
