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

Node constant(std::string output, std::int64_t value) {
  return make("Constant", {}, std::move(output), {{"value", Tensor::int64s({1}, {&value, 1})}});
}

}  // namespace

std::vector<Node> decode_body() {
  constexpr auto kInt32 = static_cast<std::int64_t>(DType::kInt32);
  return {
      constant("one", 1),
      constant("all", -1),
      constant("zero", 0),
      make("Cast", {"codes"}, "a", {{"to", kInt32}}),
      make("Unsqueeze", {"a", "one"}, "b"),
      make("Div", {"b", "places"}, "c"),
      make("Size", {"codebook"}, "d"),
      make("Cast", {"d"}, "e", {{"to", kInt32}}),
      make("Mod", {"c", "e"}, "f"),
      make("Reshape", {"f", "all"}, "g"),
      make("ReduceProd", {"shape"}, "h", {{"keepdims", std::int64_t{1}}}),
      make("Slice", {"g", "zero", "h"}, "i"),
      make("Gather", {"codebook", "i"}, "j"),
      make("Reshape", {"j", "shape"}, "k"),
      make("Mul", {"k", "scales"}, std::string(kDecodeOutput)),
  };
}

std::vector<std::int32_t> place_values(int radix) {
  std::vector<std::int32_t> places(static_cast<std::size_t>(digits_per_byte(radix)), 1);
  for (std::size_t i = 1; i < places.size(); ++i) places[i] = places[i - 1] * radix;
  return places;
}

bool is_decode_call(const Node& node) noexcept {
  return node.domain == kDecodeDomain && node.op == kDecodeName;
}

}  // namespace lastbit
