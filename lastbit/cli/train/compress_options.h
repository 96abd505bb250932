#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "lastbit/cli/train/compression.h"

namespace lastbit {

/// Adds all options of `lastbit compress`.
void add_compress_options(CLI::App& app, CompressChoice& choice);

/// "1epoch", "100steps", or the first round and the others, "40epochs,20epochs"; or the longest of
/// a run of at least 36 rounds, "auto:100steps".
/// @throws InputError
RoundLength parse_round(const std::string& text);

}  // namespace lastbit
