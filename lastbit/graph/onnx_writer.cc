#include <algorithm>
#include <array>
#include <utility>

#include <protozero/pbf_builder.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/decode_function.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/onnx_model.h"

namespace lastbit {
namespace {

template <typename Field>
using Builder = protozero::pbf_builder<Field>;

// The version of the file format that came with an opset (docs/Versioning.md of ONNX); 8 is the
// first with local functions.
std::int64_t ir_version(std::int64_t opset) {
  constexpr std::array<std::pair<std::int64_t, std::int64_t>, 5> kSteps{
      {{25, 13}, {24, 12}, {23, 11}, {21, 10}, {19, 9}}};
  for (const auto& [first, version] : kSteps) {
    if (opset >= first) return version;
  }
  return 8;
}

void write_tensor(Builder<TensorField> out, const std::string& name, const Tensor& tensor) {
  out.add_packed_int64(TensorField::kDims, tensor.shape().begin(), tensor.shape().end());
  out.add_int32(TensorField::kType, static_cast<std::int32_t>(tensor.type()));
  if (!name.empty()) out.add_string(TensorField::kName, name);
  const auto bytes = tensor.bytes();
  out.add_bytes(TensorField::kRaw, reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

struct AttributeWriter {
  Builder<AttributeField>& out;

  void operator()(std::int64_t value) const { out.add_int64(AttributeField::kInt, value); }
  void operator()(float value) const { out.add_float(AttributeField::kFloat, value); }
  void operator()(const std::string& value) const {
    out.add_string(AttributeField::kString, value);
  }
  void operator()(const std::vector<std::int64_t>& values) const {
    // Unpacked, as proto2 has it and every reader takes.
    for (const std::int64_t value : values) out.add_int64(AttributeField::kInts, value);
  }
  void operator()(const std::vector<float>& values) const {
    for (const float value : values) out.add_float(AttributeField::kFloats, value);
  }
  void operator()(const std::vector<std::string>& values) const {
    for (const std::string& value : values) out.add_string(AttributeField::kStrings, value);
  }
  void operator()(const Tensor& value) const {
    write_tensor(Builder<TensorField>(out, AttributeField::kTensor), {}, value);
  }
};

void write_node(Builder<NodeField> out, const Node& node) {
  for (const std::string& input : node.inputs) out.add_string(NodeField::kInput, input);
  for (const std::string& output : node.outputs) out.add_string(NodeField::kOutput, output);
  if (!node.name.empty()) out.add_string(NodeField::kName, node.name);
  out.add_string(NodeField::kOp, node.op);
  for (const auto& [name, value] : node.attributes) {
    Builder<AttributeField> attribute(out, NodeField::kAttribute);
    attribute.add_string(AttributeField::kName, name);
    std::visit(AttributeWriter{attribute}, value);
    attribute.add_int32(AttributeField::kType, kAttributeTypes[value.index()]);
  }
  if (!node.domain.empty()) out.add_string(NodeField::kDomain, node.domain);
}

void write_value(Builder<ValueField> out, const Value& value) {
  out.add_string(ValueField::kName, value.name);
  Builder<TypeField> type(out, ValueField::kType);
  Builder<TensorTypeField> tensor(type, TypeField::kTensor);
  tensor.add_int32(TensorTypeField::kElement, static_cast<std::int32_t>(value.type));
  // As text, since the builders drop a message without fields: the shape of a scalar, a size that
  // is not known.
  std::string shape_text;
  Builder<ShapeField> shape(shape_text);
  for (const Dim& dim : value.dims) {
    std::string dim_text;
    Builder<DimField> one(dim_text);
    if (dim.known()) {
      one.add_int64(DimField::kSize, dim.size);
    } else if (!dim.symbol.empty()) {
      one.add_string(DimField::kSymbol, dim.symbol);
    }
    shape.add_message(ShapeField::kDim, dim_text);
  }
  tensor.add_message(TensorTypeField::kShape, shape_text);
}

void write_graph(Builder<GraphField> out, const Graph& graph) {
  for (const Node& node : graph.nodes) {
    write_node(Builder<NodeField>(out, GraphField::kNode), node);
  }
  out.add_string(GraphField::kName, graph.name);
  for (const auto& [name, initializer] : graph.initializers) {
    write_tensor(
        Builder<TensorField>(out, GraphField::kInitializer), name, std::get<Tensor>(initializer));
  }
  for (const Value& input : graph.inputs) {
    write_value(Builder<ValueField>(out, GraphField::kInput), input);
  }
  for (const Value& output : graph.outputs) {
    write_value(Builder<ValueField>(out, GraphField::kOutput), output);
  }
}

void write_opset(Builder<OpsetField> out, std::string_view domain, std::int64_t version) {
  if (!domain.empty()) out.add_string(OpsetField::kDomain, domain.data(), domain.size());
  out.add_int64(OpsetField::kVersion, version);
}

// shape = Constant(value_ints = the call's attribute `shape`)
void write_attribute_node(Builder<NodeField> out, const std::string& name) {
  out.add_string(NodeField::kOutput, name);
  out.add_string(NodeField::kOp, "Constant");
  Builder<AttributeField> attribute(out, NodeField::kAttribute);
  attribute.add_string(AttributeField::kName, "value_ints");
  attribute.add_int32(AttributeField::kType, 7);
  attribute.add_string(AttributeField::kReference, name);
}

void write_function(Builder<FunctionField> out, std::string_view name, std::int64_t opset) {
  const auto add = [&](FunctionField field, std::string_view text) {
    out.add_string(field, text.data(), text.size());
  };
  const std::vector<std::string_view> attributes = decode_attributes(name);
  add(FunctionField::kName, name);
  for (const std::string_view input : kDecodeInputs) add(FunctionField::kInput, input);
  add(FunctionField::kOutput, kDecodeOutput);
  for (const std::string_view attribute : attributes) add(FunctionField::kAttribute, attribute);
  for (const std::string_view attribute : attributes) {
    write_attribute_node(Builder<NodeField>(out, FunctionField::kNode), std::string(attribute));
  }
  for (const Node& node : decode_body(name)) {
    write_node(Builder<NodeField>(out, FunctionField::kNode), node);
  }
  write_opset(Builder<OpsetField>(out, FunctionField::kOpsetImport), {}, opset);
  add(FunctionField::kDomain, kDecodeDomain);
}

// The functions that `graph` calls, in the order of docs/format.md.
std::vector<std::string_view> called_functions(const Graph& graph) {
  std::vector<std::string_view> called;
  for (const std::string_view name : {kDecodeName, kDecodeGroupsName}) {
    const auto calls = [&](const Node& node) { return is_decode_call(node) && node.op == name; };
    if (std::any_of(graph.nodes.begin(), graph.nodes.end(), calls)) called.push_back(name);
  }
  return called;
}

void check_writable(const Graph& graph) {
  if (graph.opset < kOldestOpset || graph.opset > kNewestOpset) {
    throw InputError(cat("[onnx] the graph has opset ",
                         graph.opset,
                         ", expected ",
                         kOldestOpset,
                         " to ",
                         kNewestOpset));
  }
  for (const Node& node : graph.nodes) {
    if (!node.domain.empty()) {
      throw InputError(cat("[onnx] node ",
                           describe(node),
                           ": operators of domain '",
                           node.domain,
                           "' cannot be written, only ONNX's own"));
    }
  }
}

}  // namespace

std::string serialize_onnx(const Graph& graph, const WriteOptions& options) {
  check_writable(graph);
  Graph plain = graph;
  unfold_decode(plain, options.inline_decode);
  const std::vector<std::string_view> functions = called_functions(plain);

  std::string bytes;
  Builder<ModelField> out(bytes);
  out.add_int64(ModelField::kIrVersion, ir_version(plain.opset));
  out.add_string(ModelField::kProducerName, "lastbit");
  write_graph(Builder<GraphField>(out, ModelField::kGraph), plain);
  write_opset(Builder<OpsetField>(out, ModelField::kOpsetImport), {}, plain.opset);
  if (!functions.empty()) {
    write_opset(Builder<OpsetField>(out, ModelField::kOpsetImport), kDecodeDomain, 1);
  }
  for (const auto& [key, value] : plain.metadata) {
    Builder<EntryField> entry(out, ModelField::kMetadata);
    entry.add_string(EntryField::kKey, key);
    entry.add_string(EntryField::kValue, value);
  }
  for (const std::string_view name : functions) {
    write_function(Builder<FunctionField>(out, ModelField::kFunctions), name, plain.opset);
  }
  return bytes;
}

void write_onnx(const std::filesystem::path& path,
                const Graph& graph,
                const WriteOptions& options) {
  write_file(path, serialize_onnx(graph, options));
}

}  // namespace lastbit
