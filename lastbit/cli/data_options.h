#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "lastbit/data/dataset.h"
#include "lastbit/data/text.h"

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

/// How the data are opened, whatever they hold.
DataOptions options_of(const DataChoice& choice);

Dataset open(const DataChoice& choice);
/// @throws InputError for the part "valid", which texts alone have.
std::shared_ptr<const DatasetSource> open_part(const DataChoice& choice);

/// The part of a text that is chosen, in the vocabulary of a model.
/// @throws InputError as `open_text`, or if the text has no such part.
TextPart open_text_part(const DataChoice& choice, const Vocabulary& vocabulary);
/// "3 of 82430 words are not in the vocabulary", or nothing where all are.
std::string unknown_text(const TextPart& part, TextUnits units);

/// Says on stderr how many damaged samples were left out or replaced, and names the first of them.
/// For the end of a command.
/// @param parts  what each part of the data says of it. @return all of them.
std::vector<std::string> report_skipped(std::initializer_list<std::vector<std::string>> parts);
/// Says on stderr how many images or boxes were changed or left out, and why the first of them
/// were.
/// @param done, what  "skipped", "damaged image".
void report_sentences(std::string_view done,
                      std::string_view what,
                      const std::vector<std::string>& sentences);

}  // namespace lastbit
