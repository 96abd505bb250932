#pragma once

#include <span>
#include <string_view>

#include "lastbit/method/weights.h"

namespace lastbit {

// What methods ask of the sets they are given.

/// The levels of the layer's set; empty where it learns them.
std::span<const float> levels_of(const ConstrainedWeight& layer);

/// Levels -1 and +1.
bool is_binary(const ConstrainedWeight& layer);
/// Levels -1, 0 and +1.
bool is_ternary(const ConstrainedWeight& layer);
/// Levels at equal distances.
bool is_even(const ConstrainedWeight& layer);

/// @throws InputError "[METHOD] layer 'NAME' has codebook SET, expected EXPECTED".
[[noreturn]] void refuse(std::string_view method,
                         const ConstrainedWeight& layer,
                         std::string_view expected);

/// For a method that makes scales by a rule of its own.
/// @throws InputError if the layer shares its scale with others.
void require_own_scale(std::string_view method, const ConstrainedWeight& layer);

}  // namespace lastbit
