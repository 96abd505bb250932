#include "lastbit/cli/program.h"

#include <csignal>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <iostream>
#include <new>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/version.h"

namespace lastbit {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongInput = 2;

void print_help(std::span<const Command> commands) {
  std::cout << "lastbit " << version()
            << ": trains neural networks down to one to three bits a weight\n\n"
            << "Usage: lastbit COMMAND [OPTIONS]\n\nCommands:\n";
  for (const Command& command : commands) {
    const std::string padding(12 - std::min<std::size_t>(11, command.name.size()), ' ');
    std::cout << "  " << command.name << padding << command.summary << "\n";
  }
  std::cout << "\n'lastbit COMMAND --help' explains a command. A first run:\n"
            << "  lastbit train lenet5 --data digits --run runs/float\n"
            << "  lastbit compress runs/float/reference.onnx --data digits --codebook ternary "
               "--run runs/ternary\n"
            << "  lastbit verify runs/ternary/compressed.onnx --data digits\n";
}

// A file opened while a standard stream is closed would take its number, and what is printed would
// land in that file. Output that is closed is opened for reading, so that printing fails and is
// reported.
void keep_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    const int opened = ::open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY);
    if (opened != stream) std::abort();  // the lowest free number, by POSIX
  }
}

int dispatch(std::span<const Command> commands, int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(commands);
    return 0;
  }
  if (name == "--version") {
    std::cout << "lastbit " << version() << "\n";
    return 0;
  }
  std::vector<std::string_view> known;
  for (const Command& command : commands) {
    if (command.name == name) return command.run(argc - 1, argv + 1);
    known.push_back(command.name);
  }
  throw InputError(cat("[lastbit] ",
                       argc > 1 ? cat("'", name, "' is not a command") : "no command is given",
                       ", expected one of: ",
                       join(known),
                       " ('lastbit --help' explains them)"));
}

int report(std::string_view sentence, int code) {
  // A library's message may go on with a backtrace; a person is told the first line.
  std::cerr << "lastbit: " << sentence.substr(0, sentence.find('\n')) << std::endl;
  return code;
}

}  // namespace

int run_program(std::span<const Command> commands, int argc, char** argv) {
  keep_standard_streams();
  // A limit on file sizes is then an error of write(), which names the file, and no sudden death.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    const int code = dispatch(commands, argc, argv);
    std::cout.flush();
    if (!std::cout) return report("[output] cannot write to standard output", kFailed);
    return code;
  } catch (const InputError& error) {
    return report(error.what(), kWrongInput);
  } catch (const std::bad_alloc&) {
    return report("[memory] not enough memory for this model and data", kFailed);
  } catch (const std::exception& error) {
    return report(error.what(), kFailed);
  }
}

}  // namespace lastbit
