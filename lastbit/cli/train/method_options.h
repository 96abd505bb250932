#pragma once

#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "lastbit/method/registry.h"

namespace lastbit {

/// The method of a command, and the options of all methods as typed.
struct MethodChoice {
  std::string name = "admm";
  std::string schedule = "auto";
  std::map<std::string, std::string> texts;  ///< by option
};

/// Adds --method, --schedule and the options of every method in the table.
void add_method_options(CLI::App& app, MethodChoice& choice);

/// After parsing: gives each option of training and of the method that was not typed the value that
/// the method asks for, or its paper does with --schedule paper; options of other methods leave the
/// saved configuration.
///
/// @throws InputError for an unknown method, a typed option that the method does not have, or
/// --schedule paper where the paper gives nothing.
const MethodInfo& settle_method(CLI::App& app, MethodChoice& choice);

/// The method with its options in force. @throws InputError for a value out of its range.
/// Whether the method has an option of this name.
bool has_option(const MethodInfo& info, std::string_view name);

std::unique_ptr<Method> make_method(const MethodInfo& info, const MethodChoice& choice);

/// A line for each method, for `lastbit methods`.
std::string method_list();

}  // namespace lastbit
