#pragma once

namespace lastbit {

// The commands, one file each. They take their own arguments, argv[0] being the command's name, and
// return the exit code.

int zoo_command(int argc, char** argv);
int import_command(int argc, char** argv);
int eval_command(int argc, char** argv);
int run_command(int argc, char** argv);
int inspect_command(int argc, char** argv);
int bench_command(int argc, char** argv);
int data_command(int argc, char** argv);
int version_command(int argc, char** argv);

// In lastbit-train, which links LibTorch.
int train_command(int argc, char** argv);
int compress_command(int argc, char** argv);
int compare_command(int argc, char** argv);
int reproduce_command(int argc, char** argv);
int methods_command(int argc, char** argv);
int verify_command(int argc, char** argv);

}  // namespace lastbit
