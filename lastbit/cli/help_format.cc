#include "lastbit/cli/help_format.h"

#include <sstream>

#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr std::size_t kIndent = 28;
constexpr std::size_t kWidth = 100;

// "--batch N": the name without the rules that values are checked by, which errors tell.
std::string usage_of(const CLI::Option& option, bool is_positional) {
  std::string name = is_positional ? option.get_name(true) : option.get_name(false, true);
  name = name.substr(0, name.find('{'));
  std::string type = option.get_type_name();
  type = type.substr(0, type.find(':'));
  if (type == "INT" || type == "UINT" || type == "FLOAT") type = "N";
  return type.empty() ? name : cat(name, " ", type);
}

std::string meaning_of(const CLI::Option& option) {
  std::string value = option.get_default_str();
  if (value.starts_with('[') && value.ends_with(']')) value = value.substr(1, value.size() - 2);
  std::string text = option.get_description();
  if (option.get_required()) text += " (required)";
  if (!value.empty()) text += cat(" [", value, "]");
  return text;
}

}  // namespace

std::string HelpFormat::make_option(const CLI::Option* option, bool is_positional) const {
  if (!is_positional && option->get_positional()) return "";
  std::string result;
  std::string line = "  " + usage_of(*option, is_positional);
  const auto end_line = [&] {
    result += line + "\n";
    line.assign(kIndent - 1, ' ');
  };
  if (line.size() + 1 >= kIndent) end_line();
  line.resize(kIndent - 1, ' ');
  std::istringstream words(meaning_of(*option));
  for (std::string word; words >> word;) {
    if (line.size() + 1 + word.size() > kWidth) end_line();
    line += " " + word;
  }
  end_line();
  return result;
}

}  // namespace lastbit
