#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace lastbit {

/// How `--help` shows an option: its name and what it takes, then its meaning and default, wrapped
/// to the width of a page. What is given by its place is shown under that name alone.
class HelpFormat : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

}  // namespace lastbit
