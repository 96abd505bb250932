#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "lastbit/graph/graph.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {

/// Adds the options of an architecture, all but the seed.
void add_network_options(CLI::App& app, ZooOptions& options);

/// The architectures, one a line with its summary.
std::string architecture_list();

/// Elements of all that training changes.
std::int64_t parameter_count(const Graph& graph);

/// Adds --codebook, whose rules `choose_codebooks` takes.
void add_codebook_option(CLI::App& app, std::vector<std::string>& rules);

}  // namespace lastbit
