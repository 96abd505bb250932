#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/method/schedule.h"

namespace lastbit {

/// An option of a method, as help texts and error messages show it.
struct OptionInfo {
  std::string_view name;      ///< as typed, without dashes: "rho"
  std::string_view fallback;  ///< what holds where nothing is given; empty for "none"
  std::string_view help;      ///< meaning, unit, range
};

/// The options of one method as text by name, each read where it is used.
class Settings {
 public:
  /// @param method   for error messages.
  /// @param options  those that the method has; held by reference.
  /// @param given    texts by name, for some of them.
  /// @throws InputError, listing the options, if a given one is not among them.
  Settings(std::string_view method,
           const std::vector<OptionInfo>& options,
           std::map<std::string, std::string> given);

  /// The text in force.
  std::string text(std::string_view name) const;
  /// A number with `least` <= number <= `most`. @throws InputError naming method, option and text.
  double number(std::string_view name, double least, double most) const;
  std::int64_t count(std::string_view name, std::int64_t least, std::int64_t most) const;
  /// "true" or "false".
  bool flag(std::string_view name) const;
  Schedule schedule(std::string_view name) const;
  /// None where the text is empty.
  std::optional<Schedule> optional_schedule(std::string_view name) const;
  /// One of `known`.
  std::string choice(std::string_view name, const std::vector<std::string_view>& known) const;

 private:
  std::string place(std::string_view name) const;  // "lc --mu", for messages

  std::string method_;
  const std::vector<OptionInfo>& options_;
  std::map<std::string, std::string> given_;
};

}  // namespace lastbit
