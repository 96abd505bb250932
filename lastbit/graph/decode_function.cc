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
      constant("all", -1),
      constant("zero", 0),
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
      make("Mul", {"j", "scales"}, std::string(kDecodeOutput)),
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
