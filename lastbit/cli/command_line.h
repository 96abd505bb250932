#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace lastbit {

/// The options of one command, with `--config FILE` to read them from a file and `--save-config
/// FILE` to write all that are in force. On the command line an option overrides the file.
class CommandLine {
 public:
  /// @param name  as typed, "lastbit eval".
  CommandLine(const std::string& name, const std::string& summary);

  CLI::App& app() noexcept { return app_; }

  /// @param settle  called after reading, before the options in force are saved; may be empty.
  /// @return false if help was asked for and printed: the command is done.
  /// @throws InputError for wrong usage, an unknown key in the file, or a file that cannot be read
  /// or
  ///     written.
  bool parse(int argc, char** argv);
  bool parse(const std::vector<std::string>& arguments, const std::function<void()>& settle = {});

  /// Saved configurations are to hold what was given, without defaults.
  void save_given_options_alone() noexcept { save_defaults_ = false; }

  /// All options in force, in the form that `--config` reads.
  std::string config() const;

 private:
  CLI::App app_;
  std::string save_config_;
  bool save_defaults_ = true;
};

/// Takes a number with `least` <= number <= `most`, and no other text.
CLI::Validator number_from(double least, double most);

}  // namespace lastbit
