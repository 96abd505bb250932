#include "lastbit/graph/decode_function.h"

#include <string>
#include <utility>

#include "lastbit/quant/digits.h"

namespace lastbit {
namespace {

Node make(std::string op,
          std::vector<std::string> inputs,
          std::string output,
          std::map<std::string, Attribute, std::less<>> attributes = {}) {
  return {.name = {},
          .op = std::move(op),
          .domain = {},
          .inputs = std::move(inputs),
          .outputs = {std::move(output)},
          .attributes = std::move(attributes)};
}

Node constant(std::string output, const std::vector<std::int64_t>& values) {
  return make("Constant",
              {},
              std::move(output),
              {{"value", Tensor::int64s({static_cast<std::int64_t>(values.size())}, values)}});
}

}  // namespace

std::vector<Node> decode_body(std::string_view name) {
  constexpr auto kInt32 = static_cast<std::int64_t>(DType::kInt32);
  std::vector<Node> body = {
      constant("all", {-1}),
      constant("zero", {0}),
      make("Cast", {"codes"}, "a", {{"to", kInt32}}),
      make("Div", {"a", "places"}, "b"),
      make("Size", {"codebook"}, "c"),
      make("Cast", {"c"}, "d", {{"to", kInt32}}),
      make("Mod", {"b", "d"}, "e"),
      make("Reshape", {"e", "all"}, "f"),
      make("ReduceProd", {"shape"}, "g"),
      make("Slice", {"f", "zero", "g"}, "h"),
      make("Gather", {"codebook", "h"}, "i"),
      make("Reshape", {"i", "shape"}, "j"),
  };
  const std::string output(kDecodeOutput);
  if (name == kDecodeName) {
    body.push_back(make("Mul", {"j", "scales"}, output));
    return body;
  }
  const std::vector<Node> constants = {constant("one", {1}), constant("rows", {0, -1})};
  body.insert(body.begin() + 2, constants.begin(), constants.end());
  const std::vector<Node> rest = {
      make("Expand", {"scales", "group"}, "k"),
      make("Reshape", {"k", "rows"}, "l"),
      make("ReduceProd", {"layout"}, "m"),
      make("Slice", {"l", "zero", "m", "one"}, "n"),
      make("Concat", {"zero", "layout"}, "o", {{"axis", std::int64_t{0}}}),
      make("Reshape", {"n", "o"}, "p"),
      make("Transpose", {"p"}, "q", {{"perm", std::vector<std::int64_t>{1, 0, 2}}}),
      make("Reshape", {"q", "shape"}, "r"),
      make("Mul", {"j", "r"}, output),
  };
  body.insert(body.end(), rest.begin(), rest.end());
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
