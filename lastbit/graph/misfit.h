#pragma once

#include <array>
#include <span>

#include "lastbit/base/text.h"
#include "lastbit/graph/graph.h"

namespace lastbit {

/// @throws InputError "[shapes] node 'conv1' (Conv): " and `parts`.
[[noreturn]] void throw_misfit(const Node& node, std::span<const Part> parts);

/// The same of what `cat` takes. Inlined, since a function for each of some hundred messages would
/// be a twentieth of the runtime.
template <typename... Parts>
[[noreturn, gnu::always_inline]] inline void fail_at(const Node& node, const Parts&... parts) {
  throw_misfit(node, std::array<Part, sizeof...(parts)>{Part(parts)...});
}

}  // namespace lastbit
