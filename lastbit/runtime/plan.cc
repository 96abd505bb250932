#include "lastbit/runtime/plan.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/shapes.h"
#include "lastbit/runtime/conv_shape.h"
#include "lastbit/runtime/fold.h"
#include "lastbit/runtime/fusion.h"
#include "lastbit/runtime/operators.h"
#include "lastbit/runtime/plan_builder.h"
#include "lastbit/runtime/preparations.h"

namespace lastbit {
namespace {

constexpr std::size_t kMostInputs = 8;  // that an operator of a fixed number has
constexpr std::size_t kMostResults = 3;

constexpr float kMostByte = 255.0F;
// Values of about 1, as normalization makes them, need no finer steps than these bounds give. A
// bound far beyond them would leave next to nothing of them.
constexpr float kLeastKnown = 0x1p-10F;
constexpr float kMostKnown = 8.0F;

std::size_t float_bytes(const Shape& shape) {
  return static_cast<std::size_t>(element_count(shape)) * sizeof(float);
}

// Both layouts are one where there is one channel, or one pixel.
bool layouts_agree(const Shape& shape) {
  return shape.size() < 3 || shape[1] == 1 || element_count(shape) == shape[0] * shape[1];
}

class Planner {
 public:
  Planner(const Graph& graph, const SessionOptions& options, const KernelSet& kernels)
      : graph_(graph),
        types_(infer_shapes(graph, options.batch, options.sizes)),
        fusion_(graph, types_),
        plan_(options, kernels),
        preparations_(plan_) {}

  std::shared_ptr<const Plan> run() {
    check_sizes();
    expect_borders();
    for (const auto& [name, initializer] : graph_.initializers) {
      values_[name] = {.slot = -1, .shape = shape_of(initializer), .constant = &initializer};
    }
    for (const Value& input : graph_.inputs) {
      require_number(input.name, "input", true);
      const TensorType& type = types_.find(input.name)->second;
      values_[input.name] = {.slot = plan_.add_input({input.name, type.shape, type.type}),
                             .shape = type.shape};
    }
    for (const Node& node : graph_.nodes) {
      if (!fusion_.taken(node)) add_node(node);
    }
    for (const Value& output : graph_.outputs) {
      require_number(output.name, "output", selects(output.name));
      const Operand operand = plain(values_.find(output.name)->second);
      const DType type = types_.find(output.name)->second.type;
      plan_.add_output({output.name, operand.shape, type}, operand.slot);
    }
    return plan_.finish();
  }

 private:
  void check_sizes() const {
    for (const auto& [name, type] : types_) {
      // Constants are left out: an empty list of axes is one.
      if (graph_.find_initializer(name) != nullptr) continue;
      const std::vector<std::size_t> sizes(type.shape.begin(), type.shape.end());
      plan_.check_memory(cat("value '", name, "'"), sizes);
      if (element_count(type.shape) > 0) continue;
      throw InputError(cat("[runtime] value '",
                           name,
                           "' has shape ",
                           to_string(type.shape),
                           ", expected one element at least"));
    }
  }

  void expect_borders() {
    for (const Node& node : graph_.nodes) {
      if (node.op != "Conv") continue;
      const Shape& input = types_.find(node.inputs[0])->second.shape;
      const Shape& weights = types_.find(node.inputs[1])->second.shape;
      const ConvShape shape(node, input, weights);
      if (!shape.depthwise()) preparations_.expect(node.inputs[0], shape.plane());
    }
  }

  // Whether a NonMaxSuppression makes the value: integers that lie as floats.
  bool selects(const std::string& name) const {
    return std::ranges::any_of(graph_.nodes, [&](const Node& node) {
      return node.op == "NonMaxSuppression" && node.outputs.front() == name;
    });
  }

  // Floats, or integers where they will do.
  void require_number(const std::string& name, const std::string& who, bool integers) const {
    const DType type = types_.find(name)->second.type;
    if (type == DType::kFloat) return;
    if (integers && (type == DType::kInt64 || type == DType::kInt32)) return;
    throw InputError(cat("[runtime] ",
                         who,
                         ": '",
                         name,
                         "' is ",
                         to_string(type),
                         ", expected ",
                         to_string(DType::kFloat)));
  }

  // The operand as the graph lays it, with its floats in a slot.
  Operand plain(Operand operand) {
    operand.slot = plan_.slot_of(operand);
    return operand.channels_last ? turned(operand) : operand;
  }

  Operand channels_last(Operand operand) {
    operand.slot = plan_.slot_of(operand);
    return operand.channels_last || operand.shape.size() < 3 ? operand : turned(operand);
  }

  // The operand in its other layout; each once.
  Operand turned(const Operand& operand) {
    Operand result = operand;
    result.channels_last = !operand.channels_last;
    if (layouts_agree(operand.shape)) return result;
    const auto [found, is_new] =
        turned_.emplace(std::tuple(operand.slot, operand.channels_last, operand.shape), -1);
    if (is_new) {
      found->second = plan_.add_buffer(float_bytes(operand.shape));
      add_relayout(plan_, operand, found->second);
    }
    result.slot = found->second;
    return result;
  }

  void add_node(const Node& node) {
    if (node.op == "Constant") return add_constant(node);
    if (fold(node)) return;
    const RuntimeOperator* row = find_runtime_operator(node.op);
    if (row == nullptr) refuse(node, "operator is not supported by the runtime");
    for (std::size_t i = row->results; i < node.outputs.size(); ++i) {
      if (!node.outputs[i].empty() && fusion_.used(node.outputs[i])) {
        refuse(node, cat("output ", i + 1, " ('", node.outputs[i], "') is not supported"));
      }
    }
    require_number(node.inputs.front(), "node " + describe(node), row->moves);
    if (node.op == "NonMaxSuppression") require_last(node);
    plan_.set_node(node.name.empty() ? *std::ranges::find_if_not(node.outputs, &std::string::empty)
                                     : node.name,
                   node.op);
    if (row->make == nullptr) {
      Operand same = values_.find(node.inputs.front())->second;
      if (row->layout == Layout::kPlain && same.channels_last) same = plain(same);
      same.shape = types_.find(node.outputs.front())->second.shape;
      values_[node.outputs.front()] = std::move(same);
      return;
    }
    add_steps(node, *row);
  }

  // How many rows the result has is known only when it has been computed.
  void require_last(const Node& node) const {
    for (const Node* user : fusion_.users(node.outputs.front())) {
      if (user == nullptr) continue;
      refuse(node,
             cat("its result is read by node ",
                 describe(*user),
                 ", expected an output of the network alone"));
    }
  }

  void add_constant(const Node& node) {
    const Attribute& value = node.attributes.begin()->second;
    if (const auto* tensor = std::get_if<Tensor>(&value)) {
      folded_.emplace_back(*tensor);
    } else if (const auto* number = std::get_if<float>(&value)) {
      folded_.emplace_back(Tensor::scalar(*number));
    } else if (const auto* numbers = std::get_if<std::vector<float>>(&value)) {
      folded_.emplace_back(Tensor::floats({static_cast<std::int64_t>(numbers->size())}, *numbers));
    } else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value)) {
      folded_.emplace_back(
          Tensor::int64s({static_cast<std::int64_t>(integers->size())}, *integers));
    } else {
      return;  // an integer, which shape inference has read
    }
    const Initializer& constant = folded_.back();
    values_[node.outputs.front()] = {
        .slot = -1, .shape = shape_of(constant), .constant = &constant};
  }

  // A node of constants alone is computed here.
  bool fold(const Node& node) {
    const RuntimeOperator* row = find_runtime_operator(node.op);
    if (row == nullptr || row->make == nullptr || row->results > 1) return false;
    if (types_.find(node.inputs.front())->second.type != DType::kFloat ||
        types_.find(node.outputs.front())->second.type != DType::kFloat) {
      return false;
    }
    Graph alone;
    alone.opset = graph_.opset;
    for (const std::string& input : node.inputs) {
      if (input.empty()) continue;
      const auto found = values_.find(input);
      if (found == values_.end() || found->second.constant == nullptr ||
          found->second.shape != shape_of(*found->second.constant)) {
        return false;
      }
      alone.initializers.emplace(input, *found->second.constant);
    }
    const Shape& shape = types_.find(node.outputs.front())->second.shape;
    folded_.push_back(fold_constants(node, std::move(alone), shape, plan_.options()));
    values_[node.outputs.front()] = {.slot = -1, .shape = shape, .constant = &folded_.back()};
    return true;
  }

  void add_steps(const Node& node, const RuntimeOperator& row) {
    StepRequest request;
    request.node = &node;
    request.plan = &plan_;
    request.preparations = &preparations_;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      request.inputs.push_back(node.inputs[i].empty() ? Operand{} : input_of(node, i, row));
    }
    request.inputs.resize(std::max(request.inputs.size(), kMostInputs));
    if (row.results > 1) return add_results(node, row, std::move(request));
    const bool turned = lay_out(request, row, types_.find(node.outputs.front())->second.shape);

    std::string result = node.outputs.front();
    // A product of two computed matrices takes nothing along.
    if (row.fuses && request.inputs[1].slot < 0) {
      result = fusion_.take(
          request, [this, turned](const std::string& name) { return residual(name, turned); });
    }
    const Shape& shape = types_.find(result)->second.shape;
    const float step = byte_step(request, result);
    request.output = {.slot = plan_.add_buffer(step > 0.0F ? float_bytes(shape) / sizeof(float)
                                                           : float_bytes(shape)),
                      .shape = shape,
                      .channels_last = turned && shape.size() > 2,
                      .step = step};
    values_[result] = request.output;
    // A fused Add gives the result its shape, and the operator's own is the one to plan with.
    request.output.shape = types_.find(node.outputs.front())->second.shape;
    row.make(request);
  }

  // The steps of an operator with several results, which takes nothing along.
  void add_results(const Node& node, const RuntimeOperator& row, StepRequest request) {
    lay_out(request, row, {});
    request.results.resize(kMostResults);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty() || !fusion_.used(node.outputs[i])) continue;
      const Shape& shape = types_.find(node.outputs[i])->second.shape;
      request.results[i] = {.slot = plan_.add_buffer(float_bytes(shape)), .shape = shape};
      values_[node.outputs[i]] = request.results[i];
    }
    row.make(request);
  }

  // What a byte of `result` stands for, where bytes will do: its values lie within bounds that are
  // known and about as large as themselves, and only convolutions that multiply integers, or filter
  // each channel by itself, read it. 0 for floats.
  float byte_step(const StepRequest& request, const std::string& result) const {
    const Activation& activation = request.fused.activation;
    if (plan_.options().activations != Activations::kInt8 || request.node->op != "Conv" ||
        request.fused.residual.present() || activation.kind != Activation::Kind::kClip ||
        !(activation.least >= 0.0F && activation.least <= activation.most) ||
        !(activation.most >= kLeastKnown && activation.most <= kMostKnown)) {
      return 0.0F;
    }
    for (const Node* user : fusion_.users(result)) {
      if (user == nullptr || !reads_bytes(*user, result)) return 0.0F;
    }
    return activation.most / kMostByte;
  }

  bool reads_bytes(const Node& node, const std::string& value) const {
    if (node.op != "Conv" || node.inputs[0] != value) return false;
    const auto weights = values_.find(node.inputs[1]);
    return weights != values_.end() && weights->second.constant != nullptr &&
           conv_reads_bytes(
               *weights->second.constant,
               ConvShape(node, types_.find(value)->second.shape, weights->second.shape));
  }

  Operand input_of(const Node& node, std::size_t i, const RuntimeOperator& row) {
    if (row.parameter(i) && row.integer_parameters) {
      return values_.find(node.inputs[i])->second;
    }
    require_number(node.inputs[i], "node " + describe(node), row.moves);
    Operand operand = values_.find(node.inputs[i])->second;
    if (element_count(operand.shape) == 0) {
      refuse(node,
             cat("input '",
                 node.inputs[i],
                 "' has shape ",
                 to_string(operand.shape),
                 ", expected one element at least"));
    }
    if (row.parameter(i)) return operand;
    if (static_cast<int>(i) != row.weight_input) {
      operand.slot = plan_.slot_of(operand);
      return operand;
    }
    if (operand.constant != nullptr && operand.shape.size() <= row.weight_rank) return operand;
    if (row.must_be_constant) {
      refuse(node, cat("weight '", node.inputs[i], "' is computed, expected a constant"));
    }
    return plain(operand);
  }

  // Brings the inputs into the layout that the operator wants. Returns whether that is channels
  // last, for the result too.
  bool lay_out(StepRequest& request, const RuntimeOperator& row, const Shape& result) {
    const std::size_t count = request.inputs.size();
    const auto is_data = [&](std::size_t i) {
      return request.inputs[i].present() && !row.parameter(i) &&
             static_cast<int>(i) != row.weight_input;
    };
    bool last = row.layout == Layout::kChannelsLast;
    if (row.layout == Layout::kEither) {
      bool all_can = true;
      for (std::size_t i = 0; i < count; ++i) {
        if (!is_data(i)) continue;
        last = last || request.inputs[i].channels_last;
        all_can = all_can && (request.inputs[i].constant != nullptr ||
                              request.inputs[i].shape.size() == result.size());
      }
      last = last && all_can;
    }
    for (std::size_t i = 0; i < count; ++i) {
      Operand& input = request.inputs[i];
      if (!is_data(i)) continue;
      // A constant is broadcast from the last axis on, so it needs all of the result's axes.
      if (last && input.constant != nullptr && row.layout == Layout::kEither) {
        input.shape.insert(input.shape.begin(), result.size() - input.shape.size(), 1);
      }
      input = last ? channels_last(input) : plain(input);
    }
    return last;
  }

  // The value to be added to a product's result, if it is known by now.
  Operand residual(const std::string& name, bool turned) {
    const auto found = values_.find(name);
    if (found == values_.end() || found->second.constant != nullptr) return {};
    return turned ? channels_last(found->second) : plain(found->second);
  }

  const Graph& graph_;
  TypeMap types_;
  Fusion fusion_;
  PlanBuilder plan_;
  Preparations preparations_;
  std::map<std::string, Operand, std::less<>> values_;
  // Slots of values in their other layout. Values of several shapes may share a slot.
  std::map<std::tuple<int, bool, Shape>, int> turned_;
  std::deque<Initializer> folded_;  // values of Constant nodes
};

}  // namespace

std::shared_ptr<const Plan> make_plan(const Graph& graph,
                                      const SessionOptions& options,
                                      const KernelSet& kernels) {
  return Planner(graph, options, kernels).run();
}

}  // namespace lastbit
