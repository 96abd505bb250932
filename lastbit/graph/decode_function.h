#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "lastbit/graph/graph.h"

namespace lastbit {

// The functions of docs/format.md. Frozen: files are full of these names.

inline constexpr std::string_view kDecodeDomain = "lastbit.v1";
inline constexpr std::string_view kDecodeName = "Decode";
inline constexpr std::string_view kDecodeGroupsName = "DecodeGroups";
inline constexpr std::array<std::string_view, 4> kDecodeInputs{
    "codes", "places", "codebook", "scales"};
/// Attributes of the call; in the body values like the inputs. The last two are of DecodeGroups.
inline constexpr std::string_view kDecodeShape = "shape";
inline constexpr std::string_view kDecodeGroup = "group";
inline constexpr std::string_view kDecodeLayout = "layout";
inline constexpr std::string_view kDecodeOutput = "weight";
/// Metadata properties for sets: that of an initializer (the key goes on with its name), and that
/// of all low-bit initializers without one of their own.
inline constexpr std::string_view kSetKey = "lastbit.set.";
inline constexpr std::string_view kCommonSetKey = "lastbit.set";

/// The body of `name`, in order; Constant nodes first. Values are called as in docs/format.md,
/// which leaves open the four inputs and the attributes.
std::vector<Node> decode_body(std::string_view name);

/// The attributes of `name`.
std::vector<std::string_view> decode_attributes(std::string_view name);

/// Place values of the digits in a byte: 1, radix, radix^2, ...
std::vector<std::int32_t> place_values(int radix);

/// True for a call of either function.
bool is_decode_call(const Node& node) noexcept;

/// Turns the calls of both functions in `graph`, and their bodies written inline, into low-bit
/// initializers, and drops the constants that only they used.
/// @throws FormatError if the parts of a call do not fit each other; InputError if one is not
/// constant.
void fold_decode(Graph& graph);

/// The inverse: every low-bit initializer becomes plain ones and a call, or the body.
void unfold_decode(Graph& graph, bool inline_body);

}  // namespace lastbit
