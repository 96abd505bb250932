#include <iostream>

#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/version.h"

namespace lastbit {

int version_command(int argc, char** argv) {
  CommandLine line("lastbit version", "Prints the version and how the program was built.");
  if (!line.parse(argc, argv)) return 0;
  std::cout << "lastbit " << version() << "\n" << build_facts() << "\n";
  return 0;
}

}  // namespace lastbit
