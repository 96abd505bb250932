#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/onnx_model.h"

namespace lastbit {
namespace {

using protozero::data_view;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

constexpr auto kBytes = pbf_wire_type::length_delimited;
constexpr auto kVarint = pbf_wire_type::varint;

// Calls `visit(message)` for each field; `visit` says whether it took the field.
template <typename Field, typename Visit>
void for_each_field(data_view bytes, const Visit& visit) {
  protozero::pbf_message<Field> message(bytes);
  while (message.next()) {
    if (!visit(message)) message.skip();
  }
}

template <typename Message, typename Field>
bool at(const Message& message, Field field, pbf_wire_type type = kBytes) {
  return message.tag_and_type() == tag_and_type(field, type);
}

std::pair<std::string, std::string> parse_entry(data_view bytes) {
  std::pair<std::string, std::string> entry;
  for_each_field<EntryField>(bytes, [&](auto& m) {
    if (at(m, EntryField::kKey)) return entry.first = m.get_string(), true;
    if (at(m, EntryField::kValue)) return entry.second = m.get_string(), true;
    return false;
  });
  return entry;
}

Dim parse_dim(data_view bytes, const std::string& value) {
  Dim dim;
  bool negative = false;
  for_each_field<DimField>(bytes, [&](auto& m) {
    if (at(m, DimField::kSize, kVarint)) {
      dim.size = m.get_int64();
      negative = dim.size < 0;
      return true;
    }
    if (at(m, DimField::kSymbol)) return dim.symbol = m.get_string(), true;
    return false;
  });
  if (negative) {
    throw FormatError(cat(
        "[onnx] value '", value, "': a size is ", dim.size, ", expected 0 or more, or a symbol"));
  }
  if (dim.known()) dim.symbol.clear();
  return dim;
}

// A ValueInfoProto that must have the type of a tensor, and where `need_shape` a shape too.
Value parse_value(data_view bytes, std::string_view where, bool need_shape) {
  Value value;
  bool is_tensor = false;
  bool has_shape = false;
  std::int32_t type = 0;
  data_view shape;
  const auto visit_tensor = [&](auto& m) {
    if (at(m, TensorTypeField::kElement, kVarint)) return type = m.get_int32(), true;
    if (at(m, TensorTypeField::kShape)) return has_shape = true, shape = m.get_view(), true;
    return false;
  };
  for_each_field<ValueField>(bytes, [&](auto& m) {
    if (at(m, ValueField::kName)) return value.name = m.get_string(), true;
    if (!at(m, ValueField::kType)) return false;
    for_each_field<TypeField>(m.get_view(), [&](auto& t) {
      if (!at(t, TypeField::kTensor)) return false;
      is_tensor = true;
      for_each_field<TensorTypeField>(t.get_view(), visit_tensor);
      return true;
    });
    return true;
  });
  if (!is_tensor || (need_shape && !has_shape)) {
    throw InputError(cat("[onnx] ",
                         where,
                         " '",
                         value.name,
                         "' has no ",
                         is_tensor ? "shape" : "tensor type",
                         ", which is not supported"));
  }
  value.type = static_cast<DType>(type);
  for_each_field<ShapeField>(shape, [&](auto& m) {
    if (!at(m, ShapeField::kDim)) return false;
    value.dims.push_back(parse_dim(m.get_view(), value.name));
    return true;
  });
  return value;
}

struct AttributeFields {
  std::string name;
  std::int32_t type = 0;
  bool is_reference = false;
  float single = 0;
  std::int64_t integer = 0;
  std::string text;
  data_view tensor;
  std::vector<float> floats;
  std::vector<std::int64_t> integers;
  std::vector<std::string> texts;
  std::int32_t seen = 0;  // the kind of the last value field, for files that leave out the type
};

bool take_value(protozero::pbf_message<AttributeField>& m, AttributeFields& a) {
  const auto seen = [&](std::int32_t type) { return a.seen = type, true; };
  switch (m.tag_and_type()) {
    case tag_and_type(AttributeField::kFloat, pbf_wire_type::fixed32):
      return a.single = m.get_float(), seen(1);
    case tag_and_type(AttributeField::kInt, kVarint):
      return a.integer = m.get_int64(), seen(2);
    case tag_and_type(AttributeField::kString, kBytes):
      return a.text = m.get_string(), seen(3);
    case tag_and_type(AttributeField::kTensor, kBytes):
      return a.tensor = m.get_view(), seen(4);
    case tag_and_type(AttributeField::kGraph, kBytes):
      return m.skip(), seen(5);
    case tag_and_type(AttributeField::kFloats, pbf_wire_type::fixed32):
      return a.floats.push_back(m.get_float()), seen(6);
    case tag_and_type(AttributeField::kFloats, kBytes):
      for (const float x : m.get_packed_float()) a.floats.push_back(x);
      return seen(6);
    case tag_and_type(AttributeField::kInts, kVarint):
      return a.integers.push_back(m.get_int64()), seen(7);
    case tag_and_type(AttributeField::kInts, kBytes):
      for (const std::int64_t x : m.get_packed_int64()) a.integers.push_back(x);
      return seen(7);
    case tag_and_type(AttributeField::kStrings, kBytes):
      return a.texts.push_back(m.get_string()), seen(8);
    default:
      return false;
  }
}

void parse_attribute(data_view bytes, Node& node, const Source& source) {
  AttributeFields a;
  for_each_field<AttributeField>(bytes, [&](auto& m) {
    if (at(m, AttributeField::kName)) return a.name = m.get_string(), true;
    if (at(m, AttributeField::kType, kVarint)) return a.type = m.get_int32(), true;
    if (at(m, AttributeField::kReference)) return a.is_reference = true, m.skip(), true;
    return take_value(m, a);
  });
  const auto place = [&] { return cat("node ", describe(node), ": attribute '", a.name, "'"); };
  if (a.is_reference)
    throw FormatError(cat("[onnx] ", place(), " refers to a function's, outside of one"));
  Attribute value;
  switch (a.type == 0 ? a.seen : a.type) {
    case 1:
      value = a.single;
      break;
    case 2:
      value = a.integer;
      break;
    case 3:
      value = std::move(a.text);
      break;
    case 4:
      value = parse_tensor(a.tensor, cat(place(), ", tensor"), source).tensor;
      break;
    case 5:
    case 10:
      throw InputError(cat("[onnx] ", place(), " is a subgraph, which is not supported"));
    case 6:
      value = std::move(a.floats);
      break;
    case 7:
      value = std::move(a.integers);
      break;
    case 8:
      value = std::move(a.texts);
      break;
    default:
      throw InputError(cat("[onnx] ", place(), " is of kind ", a.type, ", which is not supported"));
  }
  if (!node.attributes.emplace(a.name, std::move(value)).second) {
    throw FormatError(cat("[onnx] ", place(), " is given twice"));
  }
}

Node parse_node(data_view bytes, const Source& source) {
  Node node;
  std::vector<data_view> attributes;
  for_each_field<NodeField>(bytes, [&](auto& m) {
    if (at(m, NodeField::kInput)) return node.inputs.push_back(m.get_string()), true;
    if (at(m, NodeField::kOutput)) return node.outputs.push_back(m.get_string()), true;
    if (at(m, NodeField::kName)) return node.name = m.get_string(), true;
    if (at(m, NodeField::kOp)) return node.op = m.get_string(), true;
    if (at(m, NodeField::kAttribute)) return attributes.push_back(m.get_view()), true;
    if (at(m, NodeField::kDomain)) return node.domain = m.get_string(), true;
    return false;
  });
  if (node.domain == "ai.onnx") node.domain.clear();
  for (const data_view attribute : attributes) parse_attribute(attribute, node, source);
  return node;
}

void parse_graph(data_view bytes, Graph& graph, const Source& source) {
  std::vector<data_view> inputs;
  for_each_field<GraphField>(bytes, [&](auto& m) {
    if (at(m, GraphField::kName)) return graph.name = m.get_string(), true;
    if (at(m, GraphField::kNode)) {
      return graph.nodes.push_back(parse_node(m.get_view(), source)), true;
    }
    if (at(m, GraphField::kInput)) return inputs.push_back(m.get_view()), true;
    if (at(m, GraphField::kOutput)) {
      return graph.outputs.push_back(parse_value(m.get_view(), "output", false)), true;
    }
    if (at(m, GraphField::kInitializer)) {
      NamedTensor named = parse_tensor(m.get_view(), "initializer", source);
      if (!graph.initializers.emplace(named.name, std::move(named.tensor)).second) {
        throw FormatError(cat("[onnx] two initializers are called '", named.name, "'"));
      }
      return true;
    }
    if (at(m, GraphField::kSparseInitializer)) {
      throw InputError("[onnx] the graph has sparse initializers, which are not supported");
    }
    return false;
  });
  for (const data_view input : inputs) {
    // What old files list among the inputs for each initializer is no input.
    Value value = parse_value(input, "input", false);
    if (graph.find_initializer(value.name) != nullptr) continue;
    graph.inputs.push_back(parse_value(input, "input", true));
  }
}

}  // namespace

OnnxModel parse_model(std::span<const std::byte> bytes, const Source& source) {
  OnnxModel model;
  model.graph.name.clear();
  const data_view view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for_each_field<ModelField>(view, [&](auto& m) {
    if (at(m, ModelField::kGraph)) {
      if (std::exchange(model.has_graph, true)) throw FormatError("[onnx] there are two graphs");
      return parse_graph(m.get_view(), model.graph, source), true;
    }
    if (at(m, ModelField::kOpsetImport)) {
      std::string domain;
      std::int64_t version = 0;
      for_each_field<OpsetField>(m.get_view(), [&](auto& o) {
        if (at(o, OpsetField::kDomain)) return domain = o.get_string(), true;
        if (at(o, OpsetField::kVersion, kVarint)) return version = o.get_int64(), true;
        return false;
      });
      if (domain.empty() || domain == "ai.onnx") model.opset = version;
      return true;
    }
    if (at(m, ModelField::kMetadata)) {
      return model.graph.metadata.insert(parse_entry(m.get_view())), true;
    }
    if (at(m, ModelField::kTrainingInfo)) {
      throw InputError("[onnx] the model holds training information, which is not supported");
    }
    return false;
  });
  return model;
}

}  // namespace lastbit
