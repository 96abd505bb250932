#pragma once

#include <span>
#include <string_view>

namespace lastbit {

/// A row of a program's table of commands.
struct Command {
  std::string_view name;
  std::string_view summary;
  /// Runs the command on its own arguments, argv[0] being its name. Returns the exit code; throws
  /// as the libraries do.
  int (*run)(int argc, char** argv);
};

/// Runs the command that argv[1] names and turns what it throws into one line on standard error:
/// InputError and wrong usage end in 2, all else in 1.
int run_program(std::span<const Command> commands, int argc, char** argv);

}  // namespace lastbit
