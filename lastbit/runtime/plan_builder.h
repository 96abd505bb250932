#pragma once

#include <cstddef>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/graph/graph.h"
#include "lastbit/runtime/plan.h"

namespace lastbit {

/// Collects the slots and steps of a plan, then places the slots in memory.
class PlanBuilder {
 public:
  PlanBuilder(const SessionOptions& options, const KernelSet& kernels);

  const SessionOptions& options() const noexcept { return options_; }
  /// What the steps will run with.
  const KernelSet& kernels() const noexcept { return *kernels_; }
  /// Bytes that `options` allow the arena.
  std::size_t memory_limit() const noexcept { return memory_limit_; }
  /// Refuses a value that is larger alone. @param what  "value 'x'"
  /// @param sizes  its floats are their product.
  void check_memory(const std::string& what, std::span<const std::size_t> sizes) const;

  /// A slot that the caller of `run` fills.
  int add_input(Port port);
  /// The slot of an operand: its own, or for a constant that of its floats, decoded if need be.
  /// Below 0 for an operand that is not there.
  int slot_of(const Operand& operand);
  /// A slot of the arena that lives as long as steps use it.
  int add_buffer(std::size_t bytes);
  /// Appends a step. @param slots  all that it reads or writes; those below 0 are ignored.
  /// @param kind  what it does, where that is not the node's operator.
  void add_step(std::unique_ptr<const Step> step,
                std::initializer_list<int> slots,
                std::string_view kind = {});
  /// Says that the step added last uses this slot as well.
  void use_in_last_step(int slot);
  /// Makes `slot`, which holds `port`, an output. It lives to the end.
  void add_output(Port port, int slot);
  /// What the steps that are added from now on are for.
  void set_node(std::string name, std::string op);

  /// The plan. Nothing can be added afterwards. @throws InputError if the arena exceeds the limit.
  std::shared_ptr<const Plan> finish();

 private:
  [[noreturn]] void refuse_memory(const std::string& what) const;
  int new_slot(const float* constant, bool in_arena, std::size_t bytes);
  void use(int slot, std::size_t step);

  SessionOptions options_;
  const KernelSet* kernels_;
  std::size_t memory_limit_;
  std::map<const Initializer*, int> constants_;
  std::string node_name_;
  std::string node_op_;
  std::vector<Lifetime> slots_;  // (slots)
  Plan plan_;
};

}  // namespace lastbit
