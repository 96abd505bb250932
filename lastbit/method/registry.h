#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/method/method.h"
#include "lastbit/method/settings.h"

namespace lastbit {

/// An option of training, as typed on the command line, and the value that a method asks for.
struct Advice {
  std::string_view option;  ///< "project-every"
  std::string_view value;   ///< "1epoch"
};

/// A row of the table of methods.
struct MethodInfo {
  std::string_view name;
  std::string_view summary;  ///< one line, with its source
  bool trains = true;        ///< false if it needs neither data nor steps
  std::vector<OptionInfo> options = {};
  /// Where the method wants training options other than the program's.
  std::vector<Advice> usual = {};
  /// The paper's own options, of the method and of training; empty where it gives none.
  std::vector<Advice> paper = {};
  std::unique_ptr<Method> (*make)(const Settings& settings) = nullptr;
};

/// All methods, in the order of help texts.
std::span<const MethodInfo> methods();

/// @throws InputError that lists the known names.
const MethodInfo& find_method(std::string_view name);

/// A method with the options given; what is not given has its fallback.
/// @throws InputError for an unknown option, or a value out of its range.
std::unique_ptr<Method> make_method(const MethodInfo& info,
                                    const std::map<std::string, std::string>& given = {});

}  // namespace lastbit
