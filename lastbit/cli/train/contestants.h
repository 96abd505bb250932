#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lastbit/method/registry.h"

namespace lastbit {

/// A method to compare and the options that it alone gets: "admm:extragradient=true:epochs=5".
struct Contestant {
  std::string text;
  const MethodInfo* info = nullptr;
  std::vector<std::string> options;  ///< "--extragradient=true"

  /// Whether `name` is among its options.
  bool sets(std::string_view name) const;
};

/// @throws InputError if a text names no method, has an option without a value or one that every
///     run has of its own, or comes twice.
std::vector<Contestant> parse_contestants(const std::vector<std::string>& texts);

/// @throws InputError if the method cannot take the codebook, which is better known before hours of
/// other runs than after.
void require_fit(const Contestant& contestant, const std::string& codebook);

/// Codebooks parted by commas; those within "levels:-1,0,1" belong to it.
/// @throws InputError if one is not known or comes twice.
std::vector<std::string> parse_codebooks(const std::vector<std::string>& texts);

}  // namespace lastbit
