#include "lastbit/train/network.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/part.h"
#include "lastbit/graph/shapes.h"
#include "lastbit/train/operators.h"

namespace lastbit {
namespace {

constexpr std::size_t kNone = ~std::size_t{0};

torch::Tensor to_torch(const Tensor& tensor, torch::Device device) {
  const std::span<const float> from = tensor.as_floats();
  torch::Tensor result = torch::empty(tensor.shape(), torch::kFloat32);
  std::copy(from.begin(), from.end(), result.data_ptr<float>());
  return result.to(device);
}

Tensor from_torch(const torch::Tensor& tensor) {
  const torch::Tensor host = tensor.detach().to(torch::kCPU).contiguous();
  return Tensor::floats(host.sizes().vec(),
                        {host.data_ptr<float>(), static_cast<std::size_t>(host.numel())});
}

torch::Tensor to_torch_integers(const Tensor& tensor, torch::Device device) {
  const std::span<const std::int64_t> from = tensor.as_int64s();
  torch::Tensor result = torch::empty(tensor.shape(), torch::kInt64);
  std::copy(from.begin(), from.end(), result.data_ptr<std::int64_t>());
  return result.to(device);
}

std::vector<std::string> values_or_first(const Graph& graph, std::vector<std::string> values) {
  if (!values.empty()) return values;
  if (graph.outputs.empty()) {
    throw InputError("[network] the graph has no output, training expects one");
  }
  return {graph.outputs.front().name};
}

// @param required  whether a size that is not known is an error.
Shape sample_shape_of(const Graph& part, bool required) {
  if (part.inputs.empty()) {
    throw InputError("[network] no value needs an input of the graph, training expects one");
  }
  const Value& input = part.inputs.front();
  Shape shape;
  for (std::size_t i = 1; i < input.dims.size() && part.inputs.size() == 1; ++i) {
    if (!input.dims[i].known()) {
      if (!required) return {};
      throw InputError(cat("[network] input '",
                           input.name,
                           "' is ",
                           to_string(input.dims),
                           ", expected all sizes but the batch to be known"));
    }
    shape.push_back(input.dims[i].size);
  }
  return shape;
}

// Shapes for inputs with every size that is not known as 1.
std::map<std::string, Shape, std::less<>> least_shapes(const Graph& part) {
  std::map<std::string, Shape, std::less<>> shapes;
  for (const Value& input : part.inputs) {
    Shape& shape = shapes[input.name];
    for (const Dim& dim : input.dims) shape.push_back(dim.known() ? dim.size : 1);
  }
  return shapes;
}

}  // namespace

Network::Network(Graph graph,
                 const std::vector<Constraint>& constraints,
                 torch::Device device,
                 std::vector<std::string> values)
    : graph_(std::move(graph)), device_(device) {
  const bool chosen = !values.empty();
  part_ = part_of(graph_, values_or_first(graph_, std::move(values)));
  sample_shape_ = sample_shape_of(part_, /*required=*/!chosen);
  const torch::NoGradGuard no_gradient;
  lay_out_parameters(constraints);
  load_constants();
  compile();
  infer_shapes(part_, least_shapes(part_));  // so that shapes that do not fit name their node
}

void Network::lay_out_parameters(const std::vector<Constraint>& constraints) {
  for (const Constraint& constraint : constraints) {
    if (constraint.set != nullptr) constraints_.push_back(constraint);
  }
  std::vector<Parameter> ordered = trainable_parameters(part_);
  for (const Constraint& constraint : constraints_) {
    const std::string& name = constraint.use.initializer;
    if (std::ranges::count(ordered, name, &Parameter::initializer) == 0) {
      throw InputError(cat("[network] '",
                           name,
                           "' has codebook ",
                           constraint.set->name(),
                           ", but nothing that is trained reads it"));
    }
  }
  const auto rank = [&](const Parameter& parameter) {
    for (std::size_t i = 0; i < constraints_.size(); ++i) {
      if (constraints_[i].use.initializer == parameter.initializer) return i;
    }
    return constraints_.size() + (parameter.matrix ? 0 : 1);
  };
  std::stable_sort(ordered.begin(), ordered.end(), [&](const Parameter& a, const Parameter& b) {
    return rank(a) < rank(b);
  });

  std::int64_t total = 0;
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    const Parameter& parameter = ordered[i];
    const std::int64_t count = element_count(parameter.shape);
    if (i < constraints_.size()) {
      const Constraint& constraint = constraints_[i];
      layers_.push_back({.name = constraint.use.initializer,
                         .offset = total,
                         .layout = layout_of(constraint.use, parameter.shape, *constraint.set),
                         .set = constraint.set,
                         .shared = constraint.shared});
      constrained_size_ += count;
    }
    if (parameter.matrix) matrix_size_ += count;
    total += count;
  }
  parameters_ = torch::empty({total}, torch::TensorOptions(torch::kFloat32).device(device_));
  gradients_ = torch::zeros_like(parameters_);
  std::int64_t offset = 0;
  for (const Parameter& parameter : ordered) {
    const std::int64_t count = element_count(parameter.shape);
    torch::Tensor leaf = parameters_.narrow(0, offset, count).view(parameter.shape).detach();
    leaf.copy_(to_torch(decode(*part_.find_initializer(parameter.initializer)), device_));
    leaf.set_requires_grad(true);
    leaf.mutable_grad() = gradients_.narrow(0, offset, count).view(parameter.shape);
    leaves_[parameter.initializer] = leaf;
    offset += count;
  }
}

void Network::load_constants() {
  for (const auto& [name, initializer] : part_.initializers) {
    if (leaves_.contains(name)) continue;
    const auto* plain = std::get_if<Tensor>(&initializer);
    if (plain != nullptr && plain->type() != DType::kFloat) continue;  // shapes, read when compiled
    constants_[name] = to_torch(decode(initializer), device_);
  }
}

std::size_t Network::slot(const std::string& value) {
  const auto [entry, added] = slots_.try_emplace(value, slots_.size());
  if (added) values_.emplace_back();
  return entry->second;
}

// Each node becomes a call on slots. A slot is emptied by the last step that reads it, so that
// autograd alone decides what is kept.
void Network::compile() {
  std::map<std::string, std::size_t> last_use;
  for (std::size_t i = 0; i < part_.nodes.size(); ++i) {
    for (const std::string& name : part_.nodes[i].inputs) last_use[name] = i;
  }
  for (const Value& output : part_.outputs) last_use[output.name] = part_.nodes.size();
  for (const Value& input : part_.inputs) slot(input.name);

  for (std::size_t i = 0; i < part_.nodes.size(); ++i) {
    const Node& node = part_.nodes[i];
    std::vector<std::size_t> inputs;
    std::vector<std::size_t> released;
    for (const std::string& name : node.inputs) {
      const std::size_t index = slot(name);
      inputs.push_back(index);
      const Initializer* initializer = part_.find_initializer(name);
      if (leaves_.contains(name)) {
        values_[index] = leaves_.at(name);
      } else if (constants_.contains(name)) {
        values_[index] = constants_.at(name);
      } else if (initializer != nullptr) {
        const Tensor& plain = std::get<Tensor>(*initializer);
        if (plain.type() == DType::kInt64) values_[index] = to_torch_integers(plain, device_);
      } else if (!name.empty() && last_use.at(name) == i) {
        released.push_back(index);
      }
    }
    NodeCall compiled = compile_operator(node, part_, &mode_);
    std::vector<std::size_t> outputs;  // kNone: of no use
    for (std::size_t k = 0; k < node.outputs.size(); ++k) {
      const std::string& name = node.outputs[k];
      const bool used = !name.empty() && last_use.contains(name);
      if (used && k >= compiled.results) {
        throw InputError(cat("[train] node ",
                             describe(node),
                             ": output ",
                             k + 1,
                             " ('",
                             name,
                             "') is not supported in training, only the first ",
                             compiled.results));
      }
      outputs.push_back(used ? slot(name) : kNone);
    }
    steps_.emplace_back([call = std::move(compiled.call), inputs, released, outputs](
                            std::vector<torch::Tensor>& values) {
      std::vector<torch::Tensor> arguments;
      arguments.reserve(inputs.size());
      for (const std::size_t index : inputs) arguments.push_back(values[index]);
      for (const std::size_t index : released) values[index].reset();
      std::vector<torch::Tensor> results = call(arguments);
      for (std::size_t k = 0; k < outputs.size(); ++k) {
        if (outputs[k] != kNone) values[outputs[k]] = std::move(results[k]);
      }
    });
  }
}

std::vector<Network::Leaf> Network::leaves() const {
  std::vector<Leaf> result;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < part_.nodes.size(); ++i) {
    for (const std::string& name : part_.nodes[i].inputs) {
      if (!leaves_.contains(name) || !seen.insert(name).second) continue;
      result.push_back({.value = leaves_.at(name), .node = i});
    }
  }
  return result;
}

bool Network::has_batch_norm() const {
  return std::any_of(part_.nodes.begin(), part_.nodes.end(), [](const Node& node) {
    return node.op == "BatchNormalization";
  });
}

std::vector<torch::Tensor> Network::statistics() const {
  std::vector<torch::Tensor> result;
  for (const Node& node : part_.nodes) {
    if (node.op != "BatchNormalization") continue;
    for (const std::size_t input : {std::size_t{3}, std::size_t{4}}) {
      const auto found = constants_.find(node.inputs.at(input));
      if (found != constants_.end()) result.push_back(found->second);
    }
  }
  return result;
}

void Network::check_inputs(std::span<const torch::Tensor> inputs) const {
  if (inputs.size() != part_.inputs.size()) {
    std::vector<std::string> names;
    for (const Value& input : part_.inputs) names.push_back(input.name);
    throw InputError(cat(
        "[network] got ", inputs.size(), " inputs, expected ", names.size(), ": ", join(names)));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool integers = part_.inputs[i].type == DType::kInt64;
    if (inputs[i].is_floating_point() != integers && inputs[i].defined()) continue;
    throw InputError(cat("[network] input '",
                         part_.inputs[i].name,
                         "' is no tensor of ",
                         integers ? "int64" : "float"));
  }
}

std::vector<torch::Tensor> Network::compute(std::span<const torch::Tensor> inputs,
                                            Precision precision) {
  check_inputs(inputs);
  // On the CPU oneDNN's kernels for it are the faster ones. On a GPU it is the order of tensor
  // cores, which float32 does without.
  const bool pays = device_.is_cpu() || precision != Precision::kFloat32;
  mode_.precision = precision;
  mode_.locked_dropout = locked_dropout_;
  mode_.channels_last = channels_last_.value_or(pays);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    values_[slots_.at(part_.inputs[i].name)] = inputs[i];
  }
  for (const Step& step : steps_) step(values_);
  std::vector<torch::Tensor> results;
  for (const Value& output : part_.outputs) {
    results.push_back(values_[slots_.at(output.name)].to(torch::kFloat32));
  }
  for (const Value& output : part_.outputs) values_[slots_.at(output.name)].reset();
  return results;
}

torch::Tensor Network::forward(const torch::Tensor& input, Precision precision) {
  return compute({&input, 1}, precision).front();
}

Weights Network::constrained() const {
  return {.value = parameters_.narrow(0, 0, constrained_size_),
          .gradient = gradients_.narrow(0, 0, constrained_size_),
          .layers = layers_};
}

void Network::set_constant(const std::string& name, const torch::Tensor& value) {
  const auto found = constants_.find(name);
  if (found == constants_.end() || found->second.sizes() != value.sizes()) {
    throw InputError(
        cat("[network] no constant '", name, "' of shape ", to_string(value.sizes().vec())));
  }
  found->second.copy_(value);
}

std::map<std::string, torch::Tensor> Network::state() const {
  const auto copied = [](const torch::Tensor& tensor) {
    return tensor.detach().to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true);
  };
  std::map<std::string, torch::Tensor> result = {{"parameters", copied(parameters_)}};
  for (const auto& [name, constant] : constants_) result["constant." + name] = copied(constant);
  return result;
}

void Network::load(const std::map<std::string, torch::Tensor>& state) {
  const torch::NoGradGuard no_gradient;
  const auto take = [&](const std::string& name, torch::Tensor to) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.sizes() != to.sizes()) {
      throw FormatError(
          cat("[network] the state has no '", name, "' of shape ", to_string(to.sizes().vec())));
    }
    to.copy_(found->second);
  };
  take("parameters", parameters_);
  for (const auto& [name, constant] : constants_) take("constant." + name, constant);
}

Graph Network::exported(const std::vector<Quantized>& low_bit) const {
  Graph result = graph_;
  for (const auto& [name, leaf] : leaves_) result.initializers[name] = from_torch(leaf);
  for (const auto& [name, constant] : constants_) result.initializers[name] = from_torch(constant);
  for (std::size_t i = 0; i < low_bit.size(); ++i) {
    const Constraint& constraint = constraints_[i];
    const std::string& name = constraint.use.initializer;
    result.initializers[name] =
        pack_weight(low_bit[i], leaves_.at(name).sizes().vec(), constraint.use, *constraint.set);
  }
  return result;
}

}  // namespace lastbit
