#include "lastbit/graph/decode_function.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lastbit/quant/digits.h"

namespace lastbit {
namespace {

// The bodies are tables and one loop: written out as nodes they were a thirtieth of the runtime's
// code.
enum class Value : std::uint8_t { kNone, kInteger, kIntegers, kTensor };

struct Row {
  std::string_view op;
  std::string_view inputs;  // separated by spaces
  std::string_view output;
  std::string_view attribute = {};
  Value kind = Value::kNone;
  std::array<std::int8_t, 3> values = {};
  std::uint8_t count = 1;  // of `values`
};

constexpr std::int8_t kInt32 = static_cast<std::int8_t>(DType::kInt32);
constexpr std::array kConstants = {
    Row{"Constant", "", "all", "value", Value::kTensor, {-1}},
    Row{"Constant", "", "zero", "value", Value::kTensor, {0}},
};
constexpr std::array kGroupConstants = {
    Row{"Constant", "", "one", "value", Value::kTensor, {1}},
    Row{"Constant", "", "rows", "value", Value::kTensor, {0, -1}, 2},
};
constexpr std::array kLevels = {
    Row{"Cast", "codes", "a", "to", Value::kInteger, {kInt32}},
    Row{"Div", "a places", "b"},
    Row{"Size", "codebook", "c"},
    Row{"Cast", "c", "d", "to", Value::kInteger, {kInt32}},
    Row{"Mod", "b d", "e"},
    Row{"Reshape", "e all", "f"},
    Row{"ReduceProd", "shape", "g"},
    Row{"Slice", "f zero g", "h"},
    Row{"Gather", "codebook h", "i"},
    Row{"Reshape", "i shape", "j"},
};
constexpr std::array kScaled = {Row{"Mul", "j scales", kDecodeOutput}};
constexpr std::array kScaledByGroup = {
    Row{"Expand", "scales group", "k"},
    Row{"Reshape", "k rows", "l"},
    Row{"ReduceProd", "layout", "m"},
    Row{"Slice", "l zero m one", "n"},
    Row{"Concat", "zero layout", "o", "axis", Value::kInteger, {0}},
    Row{"Reshape", "n o", "p"},
    Row{"Transpose", "p", "q", "perm", Value::kIntegers, {1, 0, 2}, 3},
    Row{"Reshape", "q shape", "r"},
    Row{"Mul", "j r", kDecodeOutput},
};

Attribute attribute_of(const Row& row) {
  const std::vector<std::int64_t> values(row.values.begin(), row.values.begin() + row.count);
  if (row.kind == Value::kInteger) return values[0];
  if (row.kind == Value::kIntegers) return values;
  return Tensor::int64s({row.count}, values);
}

Node node_of(const Row& row) {
  Node node;
  node.op = row.op;
  for (std::string_view rest = row.inputs; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    node.inputs.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  node.outputs.emplace_back(row.output);
  if (row.kind != Value::kNone) node.attributes.emplace(row.attribute, attribute_of(row));
  return node;
}

void append(std::vector<Node>& body, std::span<const Row> rows) {
  for (const Row& row : rows) body.push_back(node_of(row));
}

}  // namespace

std::vector<Node> decode_body(std::string_view name) {
  const bool grouped = name != kDecodeName;
  std::vector<Node> body;
  append(body, kConstants);
  if (grouped) append(body, kGroupConstants);
  append(body, kLevels);
  append(body, grouped ? std::span<const Row>(kScaledByGroup) : std::span<const Row>(kScaled));
  return body;
}

std::vector<std::string_view> decode_attributes(std::string_view name) {
  if (name == kDecodeName) return {kDecodeShape};
  return {kDecodeShape, kDecodeGroup, kDecodeLayout};
}

std::vector<std::int32_t> place_values(int radix) {
  std::vector<std::int32_t> places(static_cast<std::size_t>(digits_per_byte(radix)), 1);
  for (std::size_t i = 1; i < places.size(); ++i) places[i] = places[i - 1] * radix;
  return places;
}

bool is_decode_call(const Node& node) noexcept {
  return node.domain == kDecodeDomain && (node.op == kDecodeName || node.op == kDecodeGroupsName);
}

}  // namespace lastbit
