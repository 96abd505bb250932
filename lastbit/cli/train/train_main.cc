// lastbit-train: the commands that need LibTorch. `lastbit` starts it; it can be called by itself.

#include <array>

#include "lastbit/cli/commands.h"
#include "lastbit/cli/program.h"
#include "lastbit/train/startup.h"

namespace {

constexpr std::array<lastbit::Command, 6> kCommands = {{
    {"train", "train a network in float, as the reference", lastbit::train_command},
    {"compress",
     "squeeze a trained network to one to three bits a weight",
     lastbit::compress_command},
    {"compare", "methods and codebooks side by side", lastbit::compare_command},
    {"reproduce", "a published experiment, ours beside its figures", lastbit::reproduce_command},
    {"methods", "list the methods, or show one", lastbit::methods_command},
    {"verify", "prove that a compressed file equals what was trained", lastbit::verify_command},
}};

}  // namespace

int main(int argc, char** argv) {
  lastbit::ensure_passive_waiting(argv);
  return lastbit::run_program(kCommands, argc, argv);
}
