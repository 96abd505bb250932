#pragma once

#include "lastbit/cli/command_line.h"
#include "lastbit/runtime/session.h"

namespace lastbit {

/// Adds what commands that run a model know: --activations, --kernels and --size.
/// @param options  is filled in; kept by reference.
void add_session_options(CLI::App& app, SessionOptions& options);

}  // namespace lastbit
