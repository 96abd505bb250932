#include "lastbit/runtime/plan_builder.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <unistd.h>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// Some kernels read whole vectors, and so beyond a buffer's last value.
constexpr std::size_t kSlack = 64;

constexpr std::size_t kNever = ~std::size_t{0};

// Of the machine; without limit where the system does not say.
std::size_t memory_of_machine() noexcept {
#ifdef _SC_PHYS_PAGES
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0)
    return static_cast<std::size_t>(pages) * static_cast<std::size_t>(page);
#endif
  return std::numeric_limits<std::size_t>::max();
}

}  // namespace

PlanBuilder::PlanBuilder(const SessionOptions& options, const KernelSet& kernels)
    : options_(options),
      kernels_(&kernels),
      memory_limit_(options.memory_limit == 0 ? memory_of_machine() : options.memory_limit) {
  plan_.activations = options.activations;
}

void PlanBuilder::check_memory(const std::string& what, std::span<const std::size_t> sizes) const {
  std::size_t left = memory_limit_ / sizeof(float);
  for (const std::size_t size : sizes) left = size == 0 ? left : left / size;
  if (left == 0)
    refuse_memory(cat(what, " of shape ", to_string(Shape(sizes.begin(), sizes.end()))));
}

void PlanBuilder::refuse_memory(const std::string& what) const {
  throw InputError(
      cat("[runtime] ", what, " takes more than the limit of memory, ", memory_limit_, " bytes"));
}

int PlanBuilder::new_slot(const float* constant, bool in_arena, std::size_t bytes) {
  plan_.constants.push_back(constant);
  plan_.in_arena.push_back(in_arena);
  slots_.push_back({.bytes = bytes, .first = kNever, .last = 0});
  return static_cast<int>(slots_.size()) - 1;
}

int PlanBuilder::add_input(Port port) {
  const int slot = new_slot(nullptr, false, 0);
  plan_.inputs.push_back(std::move(port));
  plan_.input_slots.push_back(slot);
  return slot;
}

namespace {

// Integers as floats.
Tensor floats_of(const Initializer& constant) {
  Tensor tensor = decode(constant);
  if (tensor.type() != DType::kInt64 && tensor.type() != DType::kInt32) return tensor;
  std::vector<float> values(static_cast<std::size_t>(tensor.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t value = 0;
    if (tensor.type() == DType::kInt64) {
      value = tensor.as_int64s()[i];
    } else {
      std::int32_t narrow = 0;
      std::memcpy(&narrow, tensor.bytes().data() + i * sizeof(narrow), sizeof(narrow));
      value = narrow;
    }
    if (value > kLargestInteger || value < -kLargestInteger) {
      throw InputError(cat("[runtime] a constant holds ",
                           value,
                           ", expected integers of magnitude ",
                           kLargestInteger,
                           " at most"));
    }
    values[i] = static_cast<float>(value);
  }
  return Tensor::floats(tensor.shape(), values);
}

}  // namespace

int PlanBuilder::slot_of(const Operand& operand) {
  if (operand.slot >= 0 || operand.constant == nullptr) return operand.slot;
  const auto [found, is_new] = constants_.emplace(operand.constant, -1);
  if (is_new) {
    plan_.kept.push_back(floats_of(*operand.constant));
    plan_.weight_bytes += plan_.kept.back().bytes().size();
    found->second = new_slot(plan_.kept.back().as_floats().data(), false, 0);
  }
  return found->second;
}

int PlanBuilder::add_buffer(std::size_t bytes) { return new_slot(nullptr, true, bytes + kSlack); }

void PlanBuilder::use(int slot, std::size_t step) {
  if (slot < 0) return;
  Lifetime& life = slots_[static_cast<std::size_t>(slot)];
  life.first = std::min(life.first, step);
  life.last = std::max(life.last, step);
}

void PlanBuilder::use_in_last_step(int slot) {
  use(slot, plan_.steps.size() - 1);
  if (slot >= 0) plan_.steps.back().value_bytes += slots_[static_cast<std::size_t>(slot)].bytes;
}

void PlanBuilder::add_step(std::unique_ptr<const Step> step,
                           std::initializer_list<int> slots,
                           std::string_view kind) {
  plan_.weight_bytes += step->weight_bytes();
  plan_.steps.push_back({.step = std::move(step),
                         .node = node_name_,
                         .kind = kind.empty() ? node_op_ : std::string(kind)});
  for (const int slot : slots) use_in_last_step(slot);
}

void PlanBuilder::add_output(Port port, int slot) {
  plan_.outputs.push_back(std::move(port));
  plan_.output_slots.push_back(slot);
}

void PlanBuilder::set_node(std::string name, std::string op) {
  node_name_ = std::move(name);
  node_op_ = std::move(op);
}

std::shared_ptr<const Plan> PlanBuilder::finish() {
  for (const int slot : plan_.output_slots) use(slot, plan_.steps.size());
  std::vector<std::size_t> buffer_of(slots_.size(), 0);
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (!plan_.in_arena[slot]) continue;
    buffer_of[slot] = plan_.lifetimes.size();
    plan_.lifetimes.push_back(slots_[slot]);
  }
  const std::size_t first_scratch = plan_.lifetimes.size();
  for (std::size_t step = 0; step < plan_.steps.size(); ++step) {
    const std::size_t bytes = plan_.steps[step].step->scratch_floats() * sizeof(float);
    const std::size_t stride = (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
    plan_.steps[step].scratch_stride = stride;
    plan_.lifetimes.push_back({.bytes = stride * static_cast<std::size_t>(options_.threads),
                               .first = step,
                               .last = step});
  }
  const ArenaLayout layout = place_buffers(plan_.lifetimes);
  plan_.arena_bytes = layout.bytes;
  if (layout.bytes > memory_limit_) refuse_memory("the buffer of all values");
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    plan_.offsets.push_back(plan_.in_arena[slot] ? layout.offsets[buffer_of[slot]] : 0);
  }
  for (std::size_t step = 0; step < plan_.steps.size(); ++step) {
    plan_.steps[step].scratch_offset = layout.offsets[first_scratch + step];
  }
  return std::make_shared<const Plan>(std::move(plan_));
}

}  // namespace lastbit
