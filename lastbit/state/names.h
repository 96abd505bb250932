#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

/// How other programs' names of a layer become the zoo's. In `from`, `#` stands for a number and
/// `*` for any run of characters; in `to`, they stand for what those of `from` matched, in order,
/// and `#+1` for the number and one.
struct NameRule {
  std::string_view from;  ///< a layer: a tensor's name without its last part
  std::string_view to;    ///< the zoo's name of the layer; empty: the tensors are passed over
};

/// The names that some programs give to the layers of a network. The first rule that fits decides.
struct NameFamily {
  std::string_view networks;  ///< a pattern, as of `matches`
  std::string_view name;
  std::span<const NameRule> rules;
};

std::span<const NameFamily> name_families() noexcept;

/// What `to` makes of `name`; nothing where `from` does not match it.
std::optional<std::string> rewrite(std::string_view from,
                                   std::string_view to,
                                   std::string_view name);

/// A pair of patterns for whole names, "FROM=TO".
struct NameMap {
  std::string from;
  std::string to;
};

/// @throws InputError if the text is no pair, has more than two `*`, or asks for more matches
/// than
///     FROM has.
NameMap parse_name_map(const std::string& text);

/// The zoo's name of a tensor of a state: the first of `maps` that fits, then the first of `rules`;
/// the parts running_mean and running_var are called mean and variance. Empty for a tensor that is
/// passed over: one of `rules`, or a count of batches.
std::string zoo_name(std::span<const NameRule> rules,
                     std::span<const NameMap> maps,
                     std::string_view name);

}  // namespace lastbit
