#include "lastbit/method/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// The whole of `text` as a number; none if it is not one.
template <typename Number>
std::optional<Number> whole(const std::string& text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

}  // namespace

Settings::Settings(std::string_view method,
                   const std::vector<OptionInfo>& options,
                   std::map<std::string, std::string> given)
    : method_(method), options_(options), given_(std::move(given)) {
  for (const auto& [name, text] : given_) {
    const bool known = std::any_of(options_.begin(), options_.end(), [&](const OptionInfo& option) {
      return option.name == name;
    });
    if (known) continue;
    std::vector<std::string_view> names;
    for (const OptionInfo& option : options_) names.push_back(option.name);
    throw InputError(cat("[method] '",
                         method_,
                         "' has no option '",
                         name,
                         "', expected ",
                         names.empty() ? "none: it has no options" : cat("one of: ", join(names))));
  }
}

std::string Settings::place(std::string_view name) const { return cat(method_, " --", name); }

std::string Settings::text(std::string_view name) const {
  const auto given = given_.find(std::string(name));
  if (given != given_.end()) return given->second;
  for (const OptionInfo& option : options_) {
    if (option.name == name) return std::string(option.fallback);
  }
  throw std::logic_error(cat("method '", method_, "' does not declare its option '", name, "'"));
}

double Settings::number(std::string_view name, double least, double most) const {
  const std::string given = text(name);
  const std::optional<double> value = whole<double>(given);
  if (value && *value >= least && *value <= most) return *value;
  throw InputError(
      cat("[", place(name), "] '", given, "', expected a number from ", least, " to ", most));
}

std::int64_t Settings::count(std::string_view name, std::int64_t least, std::int64_t most) const {
  const std::string given = text(name);
  const std::optional<std::int64_t> value = whole<std::int64_t>(given);
  if (value && *value >= least && *value <= most) return *value;
  throw InputError(
      cat("[", place(name), "] '", given, "', expected a whole number from ", least, " to ", most));
}

bool Settings::flag(std::string_view name) const {
  return choice(name, {"true", "false"}) == "true";
}

Schedule Settings::schedule(std::string_view name) const {
  return Schedule::parse(text(name), place(name));
}

std::optional<Schedule> Settings::optional_schedule(std::string_view name) const {
  if (text(name).empty()) return std::nullopt;
  return schedule(name);
}

std::string Settings::choice(std::string_view name,
                             const std::vector<std::string_view>& known) const {
  const std::string given = text(name);
  if (std::find(known.begin(), known.end(), given) != known.end()) return given;
  throw InputError(cat("[", place(name), "] '", given, "', expected one of: ", join(known)));
}

}  // namespace lastbit
