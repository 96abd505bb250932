#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "lastbit/method/admm.h"
#include "lastbit/method/method.h"

namespace lastbit {

/// The options of all methods; each reads its own.
struct MethodOptions {
  AdmmOptions admm;
};

/// A row of the table of methods.
struct MethodInfo {
  std::string_view name;
  std::string_view summary;  ///< one line, with its source
  bool trains;               ///< false if it needs neither data nor steps
  std::unique_ptr<Method> (*make)(const MethodOptions& options);
};

std::span<const MethodInfo> methods() noexcept;

/// @throws InputError that lists the known names.
const MethodInfo& find_method(std::string_view name);

}  // namespace lastbit
