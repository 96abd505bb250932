#include "lastbit/cli/command_line.h"

#include <charconv>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/help_format.h"

namespace lastbit {

CommandLine::CommandLine(const std::string& name, const std::string& summary)
    : app_(summary, name) {
  app_.formatter(std::make_shared<HelpFormat>());
  app_.set_help_flag("-h,--help", "Print this text");
  app_.option_defaults()->always_capture_default();
  app_.set_config("--config", "", "Read options from this TOML file")->type_name("FILE");
  app_.add_option("--save-config", save_config_, "Write the options in force to this file")
      ->type_name("FILE")
      ->configurable(false);
  app_.allow_config_extras(CLI::config_extras_mode::error);
}

bool CommandLine::parse(int argc, char** argv) { return parse({argv + 1, argv + argc}); }

bool CommandLine::parse(const std::vector<std::string>& arguments,
                        const std::function<void()>& settle) {
  try {
    // CLI11 takes them from the back.
    app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    std::cout << app_.help();
    return false;
  } catch (const CLI::ConfigError& error) {
    // What CLI11 says of a line or key that it does not know ends in that line or key.
    constexpr std::string_view kPrefix = "INI was not able to parse ";
    std::string what = error.what();
    if (what.starts_with(kPrefix)) {
      what = cat("'", what.substr(kPrefix.size()), "' is not an option of this command");
    }
    throw InputError(
        cat("[", app_.get_name(), "] ", app_.get_config_ptr()->as<std::string>(), ": ", what));
  } catch (const CLI::ParseError& error) {
    throw InputError(cat("[",
                         app_.get_name(),
                         "] ",
                         error.what(),
                         " ('",
                         app_.get_name(),
                         " --help' shows the options)"));
  }
  if (settle) settle();
  if (!save_config_.empty()) write_file(save_config_, config());
  return true;
}

// Lists without a value are left out: CLI11 writes them as text that it does not read back, "[]" in
// version 2.1 and "{}" in 2.4.
std::string CommandLine::config() const {
  std::istringstream lines(
      app_.config_to_str(/*default_also=*/save_defaults_, /*write_description=*/false));
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    if (!line.ends_with("=\"[]\"") && !line.ends_with("=\"{}\"")) result += line + '\n';
  }
  return result;
}

CLI::Validator number_from(double least, double most) {
  const auto check = [least, most](const std::string& text) -> std::string {
    double value = 0.0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc{} && rest == end && value >= least && value <= most) return "";
    return cat("'", text, "', expected a number from ", least, " to ", most);
  };
  return {check, cat(least, "..", most)};
}

}  // namespace lastbit
