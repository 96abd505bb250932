#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "lastbit/data/dataset.h"

namespace lastbit {

/// The options that say which samples a command reads.
struct DataChoice {
  std::string name;
  std::string folder;
  std::string part = "test";
  bool strict = false;
};

/// Adds --data, --data-dir and --strict. @return the --data option, to be required or not.
CLI::Option* add_data_options(CLI::App& app, DataChoice& choice);
/// Adds --part, for commands that read one part.
void add_part_option(CLI::App& app, DataChoice& choice);

Dataset open(const DataChoice& choice);
std::shared_ptr<const DatasetSource> open_part(const DataChoice& choice);

/// Says on stderr how many damaged samples were left out or replaced, and names the first of them.
/// For the end of a command. @return what is wrong with each.
std::vector<std::string> report_skipped(std::initializer_list<const DatasetSource*> sources);

}  // namespace lastbit
