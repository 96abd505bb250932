#pragma once

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "lastbit/data/dataset.h"

namespace lastbit {

/// The options that say which samples a command reads.
struct DataChoice {
  std::string name;
  std::string folder;
  std::string part = "test";
};

/// Adds --data and --data-dir. @return the --data option, to be required or not.
CLI::Option* add_data_options(CLI::App& app, DataChoice& choice);
/// Adds --part, for commands that read one part.
void add_part_option(CLI::App& app, DataChoice& choice);

Dataset open(const DataChoice& choice);
std::shared_ptr<const DatasetSource> open_part(const DataChoice& choice);

}  // namespace lastbit
