#include <iostream>
#include <string>

#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/train/method_options.h"

namespace lastbit {
namespace {

void print_advice(std::string_view title, const std::vector<Advice>& advice) {
  if (advice.empty()) return;
  std::cout << title;
  for (const Advice& one : advice) std::cout << " --" << one.option << " " << one.value;
  std::cout << "\n";
}

void print_method(const MethodInfo& info) {
  std::cout << info.name << ": " << info.summary << "\n";
  for (const OptionInfo& option : info.options) {
    std::cout << "  --" << option.name << ": " << option.help;
    if (!option.fallback.empty()) std::cout << " [" << option.fallback << "]";
    std::cout << "\n";
  }
  print_advice("where nothing else is given:", info.usual);
  print_advice("with --schedule paper:", info.paper);
}

}  // namespace

int methods_command(int argc, char** argv) {
  CommandLine line("lastbit methods",
                   "Lists the methods, or shows the options of one.\n"
                   "Example: lastbit methods lc");
  std::string name;
  line.app().add_option("name,--name", name, "Method to show; none lists them")->type_name("NAME");
  if (!line.parse(argc, argv)) return 0;
  if (name.empty()) {
    std::cout << method_list();
  } else {
    print_method(find_method(name));
  }
  return 0;
}

}  // namespace lastbit
