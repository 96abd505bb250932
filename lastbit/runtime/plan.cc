#include "lastbit/runtime/plan.h"

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/shapes.h"
#include "lastbit/runtime/operators.h"

namespace lastbit {
namespace {

constexpr std::size_t kMostInputs = 5;  // that an operator of a fixed number has

std::size_t float_bytes(const Shape& shape) {
  return static_cast<std::size_t>(element_count(shape)) * sizeof(float);
}

class Planner {
 public:
  Planner(const Graph& graph, const SessionOptions& options)
      : graph_(graph), threads_(options.threads), types_(infer_shapes(graph, options.batch)) {}

  std::shared_ptr<const Plan> run() {
    check_sizes();
    count_uses();
    for (const auto& [name, initializer] : graph_.initializers) {
      values_[name] = {.slot = -1, .shape = shape_of(initializer), .constant = &initializer};
    }
    for (const Value& input : graph_.inputs) add_input(input);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!fused_[i]) add_node(i);
    }
    for (const Value& output : graph_.outputs) add_output(output);
    place();
    return std::make_shared<const Plan>(std::move(plan_));
  }

 private:
  void check_sizes() const {
    for (const auto& [name, type] : types_) {
      // Constants are left out: an empty list of axes is one.
      const bool constant = graph_.find_initializer(name) != nullptr;
      if (constant || element_count(type.shape) > 0) continue;
      throw InputError(cat("[runtime] value '",
                           name,
                           "' has shape ",
                           to_string(type.shape),
                           ", expected one element at least"));
    }
  }

  void count_uses() {
    fused_.assign(graph_.nodes.size(), false);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      for (const std::string& input : graph_.nodes[i].inputs) users_[input].push_back(i);
    }
    // An output is used by the caller, whose index no node has.
    for (const Value& output : graph_.outputs) users_[output.name].push_back(graph_.nodes.size());
  }

  int new_slot(const float* constant, bool in_arena, std::size_t bytes) {
    plan_.constants.push_back(constant);
    plan_.in_arena.push_back(in_arena);
    slots_.push_back({.bytes = bytes, .first = plan_.steps.size(), .last = plan_.steps.size()});
    return static_cast<int>(slots_.size()) - 1;
  }

  void require_float(const std::string& name, const std::string& who) const {
    const DType type = types_.find(name)->second.type;
    if (type == DType::kFloat) return;
    throw InputError(cat("[runtime] ",
                         who,
                         ": '",
                         name,
                         "' is ",
                         to_string(type),
                         ", expected ",
                         to_string(DType::kFloat)));
  }

  void add_input(const Value& input) {
    require_float(input.name, "input");
    const Shape& shape = types_.find(input.name)->second.shape;
    const int slot = new_slot(nullptr, false, 0);
    values_[input.name] = {.slot = slot, .shape = shape, .constant = nullptr};
    plan_.inputs.push_back({input.name, shape});
    plan_.input_slots.push_back(slot);
  }

  void add_output(const Value& output) {
    require_float(output.name, "output");
    const Operand operand = with_slot(values_.find(output.name)->second);
    slots_[static_cast<std::size_t>(operand.slot)].last = plan_.steps.size();
    plan_.outputs.push_back({output.name, operand.shape});
    plan_.output_slots.push_back(operand.slot);
  }

  // The operand with its floats in a slot, decoded if need be; each constant once.
  Operand with_slot(Operand operand) {
    if (operand.slot >= 0 || operand.constant == nullptr) return operand;
    const auto [found, is_new] = constant_slots_.emplace(operand.constant, -1);
    if (is_new) {
      plan_.kept.push_back(decode(*operand.constant));
      plan_.weight_bytes += plan_.kept.back().bytes().size();
      found->second = new_slot(plan_.kept.back().as_floats().data(), false, 0);
    }
    operand.slot = found->second;
    return operand;
  }

  void add_node(std::size_t index) {
    const Node& node = graph_.nodes[index];
    if (node.op == "Constant") return add_constant(node);
    const RuntimeOperator* row = find_runtime_operator(node.op);
    if (row == nullptr) refuse(node, "operator is not supported by the runtime");
    for (std::size_t i = 1; i < node.outputs.size(); ++i) {
      if (!node.outputs[i].empty() && users_.contains(node.outputs[i])) {
        refuse(node, cat("output ", i + 1, " ('", node.outputs[i], "') is not supported"));
      }
    }
    const std::string who = "node " + describe(node);
    require_float(node.inputs.front(), who);
    if (row->make == nullptr) {
      Operand same = values_.find(node.inputs.front())->second;
      same.shape = types_.find(node.outputs.front())->second.shape;
      values_[node.outputs.front()] = std::move(same);
      return;
    }
    add_step(index, *row);
  }

  void add_constant(const Node& node) {
    const Attribute& value = node.attributes.begin()->second;
    if (const auto* tensor = std::get_if<Tensor>(&value)) {
      folded_.emplace_back(*tensor);
    } else if (const auto* number = std::get_if<float>(&value)) {
      folded_.emplace_back(Tensor::scalar(*number));
    } else if (const auto* floats = std::get_if<std::vector<float>>(&value)) {
      folded_.emplace_back(Tensor::floats({static_cast<std::int64_t>(floats->size())}, *floats));
    } else {
      return;  // integers say how a node works, and shape inference has read them
    }
    const Initializer& constant = folded_.back();
    values_[node.outputs.front()] = {
        .slot = -1, .shape = shape_of(constant), .constant = &constant};
  }

  void add_step(std::size_t index, const RuntimeOperator& row) {
    const Node& node = graph_.nodes[index];
    StepRequest request;
    request.node = &node;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      request.inputs.push_back(node.inputs[i].empty() ? Operand{} : input_of(node, i, row));
    }
    request.inputs.resize(std::max(request.inputs.size(), kMostInputs));
    std::string result = node.outputs.front();
    if (row.fuses) result = fuse(request, index, row);

    const Shape& shape = types_.find(result)->second.shape;
    request.output = {.slot = new_slot(nullptr, true, float_bytes(shape)), .shape = shape};
    values_[result] = request.output;
    const std::size_t step = plan_.steps.size();
    for (const Operand& input : request.inputs) use(input, step);
    use(request.bias, step);
    // A fused Add gives the result its shape, and the operator's own is the one to plan with.
    request.output.shape = types_.find(node.outputs.front())->second.shape;
    plan_.steps.push_back({.step = row.make(request)});
    plan_.weight_bytes += plan_.steps.back().step->weight_bytes();
  }

  void use(const Operand& operand, std::size_t step) {
    if (operand.slot >= 0) slots_[static_cast<std::size_t>(operand.slot)].last = step;
  }

  Operand input_of(const Node& node, std::size_t i, const RuntimeOperator& row) {
    require_float(node.inputs[i], "node " + describe(node));
    const Operand& operand = values_.find(node.inputs[i])->second;
    if (static_cast<int>(i) != row.weight_input) return with_slot(operand);
    if (operand.constant != nullptr && operand.shape.size() <= row.weight_rank) return operand;
    if (row.must_be_constant) {
      refuse(node, cat("weight '", node.inputs[i], "' is computed, expected a constant"));
    }
    return with_slot(operand);
  }

  // The only node that uses `value`, if it is not the caller who does; else the number of nodes.
  std::size_t only_user(const std::string& value) const {
    const auto found = users_.find(value);
    return found == users_.end() || found->second.size() != 1 ? graph_.nodes.size()
                                                              : found->second.front();
  }

  // Takes an Add of one value a channel (MatMul alone: the others have an input for it) and an
  // activation into the step. Returns the name of the result.
  std::string fuse(StepRequest& request, std::size_t index, const RuntimeOperator& row) {
    std::string result = graph_.nodes[index].outputs.front();
    // Only LinearStep takes them: not the product of two computed matrices.
    if (request.inputs[1].slot >= 0) return result;
    std::size_t user = only_user(result);
    if (!row.must_be_constant && user < graph_.nodes.size() && graph_.nodes[user].op == "Add") {
      const Node& add = graph_.nodes[user];
      const std::string& other = add.inputs[add.inputs[0] == result ? 1 : 0];
      const auto found = values_.find(other);
      const Shape& shape = types_.find(result)->second.shape;
      if (found != values_.end() && found->second.constant != nullptr &&
          found->second.shape == Shape{shape.back()} && request.inputs[1].shape.size() == 2) {
        require_float(other, "node " + describe(add));
        request.bias = with_slot(found->second);
        fused_[user] = true;
        result = add.outputs.front();
        user = only_user(result);
      }
    }
    if (user < graph_.nodes.size()) {
      const Activation activation = activation_of(graph_.nodes[user]);
      if (activation.kind != Activation::Kind::kNone) {
        request.activation = activation;
        fused_[user] = true;
        result = graph_.nodes[user].outputs.front();
      }
    }
    return result;
  }

  void place() {
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
      plan_.lifetimes.push_back(
          {.bytes = stride * static_cast<std::size_t>(threads_), .first = step, .last = step});
    }
    const ArenaLayout layout = place_buffers(plan_.lifetimes);
    plan_.arena_bytes = layout.bytes;
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
      plan_.offsets.push_back(plan_.in_arena[slot] ? layout.offsets[buffer_of[slot]] : 0);
    }
    for (std::size_t step = 0; step < plan_.steps.size(); ++step) {
      plan_.steps[step].scratch_offset = layout.offsets[first_scratch + step];
    }
  }

  const Graph& graph_;
  int threads_;
  TypeMap types_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> users_;  // nodes that read a value
  std::vector<bool> fused_;                                             // (nodes)
  std::map<std::string, Operand, std::less<>> values_;
  std::map<const Initializer*, int> constant_slots_;
  std::deque<Initializer> folded_;  // values of Constant nodes
  std::vector<Lifetime> slots_;     // (slots)
  Plan plan_;
};

}  // namespace

std::shared_ptr<const Plan> make_plan(const Graph& graph, const SessionOptions& options) {
  return Planner(graph, options).run();
}

}  // namespace lastbit
