// lastbit: the program people call. It links no LibTorch, which would cost 0.3 s and 165 MB at
// every start; commands that train are handed to lastbit-train, as git hands commands to its own
// programs.

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <unistd.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/program.h"

namespace lastbit {
namespace {

// Starts lastbit-train, which lies beside this program, with the command in its argv[1].
int hand_over(int /*argc*/, char** argv) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (self.parent_path() / "lastbit-train").string();
  // See train/startup.h: set here, lastbit-train need not start itself anew.
  ::setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);
  ::execv(program.c_str(), argv - 1);
  throw InputError(cat("[lastbit] cannot start ",
                       program,
                       ": ",
                       std::generic_category().message(errno),
                       "; '",
                       argv[0],
                       "' needs a build with LASTBIT_TRAIN=ON"));
}

constexpr std::array<Command, 14> kCommands = {{
    {"train", "train a network in float, as the reference", hand_over},
    {"compress", "squeeze a trained network to one to three bits a weight", hand_over},
    {"compare", "methods and codebooks side by side", hand_over},
    {"reproduce", "a published experiment, ours beside its figures", hand_over},
    {"methods", "list the methods, or show one", hand_over},
    {"verify", "prove that a compressed file equals what was trained", hand_over},
    {"eval", "error and loss of a model on a data set", eval_command},
    {"run", "outputs of a model, written as .npy", run_command},
    {"inspect", "layers, codebooks, bits and bytes of a model", inspect_command},
    {"bench", "latency of a model", bench_command},
    {"zoo", "list the architectures, or write one", zoo_command},
    {"import", "fill an architecture with weights of PyTorch, safetensors or ONNX", import_command},
    {"data", "list or download data sets", data_command},
    {"version", "version and build", version_command},
}};

}  // namespace
}  // namespace lastbit

int main(int argc, char** argv) { return lastbit::run_program(lastbit::kCommands, argc, argv); }
