#include "lastbit/cli/command_line.h"

#include <iostream>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"

namespace lastbit {

CommandLine::CommandLine(const std::string& name, const std::string& summary)
    : app_(summary, name) {
  app_.get_formatter()->column_width(34);
  app_.option_defaults()->always_capture_default();
  app_.set_config("--config", "", "Read options from this TOML file")->type_name("FILE");
  app_.add_option("--save-config", save_config_, "Write the options in force to this file")
      ->type_name("FILE")
      ->configurable(false);
  app_.allow_config_extras(CLI::config_extras_mode::error);
}

bool CommandLine::parse(int argc, char** argv) {
  try {
    app_.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app_.help();
    return false;
  } catch (const CLI::ParseError& error) {
    throw InputError(cat("[",
                         app_.get_name(),
                         "] ",
                         error.what(),
                         " ('",
                         app_.get_name(),
                         " --help' shows the options)"));
  }
  if (!save_config_.empty()) write_file(save_config_, config());
  return true;
}

std::string CommandLine::config() const {
  return app_.config_to_str(/*default_also=*/true, /*write_description=*/false);
}

}  // namespace lastbit
