#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "lastbit/graph/graph.h"

namespace lastbit {

// The function of docs/format.md. Frozen: files are full of these names.

inline constexpr std::string_view kDecodeDomain = "lastbit.v1";
inline constexpr std::string_view kDecodeName = "Decode";
inline constexpr std::array<std::string_view, 4> kDecodeInputs{
    "codes", "places", "codebook", "scales"};
/// An attribute of the call; in the body a value like the inputs.
inline constexpr std::string_view kDecodeShape = "shape";
inline constexpr std::string_view kDecodeOutput = "weight";
/// Metadata properties for sets: that of an initializer (the key goes on with its name), and that
/// of all low-bit initializers without one of their own.
inline constexpr std::string_view kSetKey = "lastbit.set.";
inline constexpr std::string_view kCommonSetKey = "lastbit.set";

/// The body, in order; Constant nodes first. Values are called as in docs/format.md, which leaves
/// five open: the four inputs, and the shape.
std::vector<Node> decode_body();

/// Place values of the digits in a byte: 1, radix, radix^2, ...
std::vector<std::int32_t> place_values(int radix);

bool is_decode_call(const Node& node) noexcept;

/// Turns the calls of lastbit.v1.Decode in `graph`, and its body written inline, into low-bit
/// initializers, and drops the constants that only they used.
/// @throws FormatError if the parts of a call do not fit each other; InputError if one is not
/// constant.
void fold_decode(Graph& graph);

/// The inverse: every low-bit initializer becomes plain ones and a call, or the body.
void unfold_decode(Graph& graph, bool inline_body);

}  // namespace lastbit
