#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "lastbit/data/dataset.h"
#include "lastbit/data/vocabulary.h"

namespace lastbit {

/// A text to train a language model on, and those to measure it on.
struct TextSet {
  std::string name;
  std::filesystem::path folder;  ///< Where it was found; empty for a generated one.
  TextPart train;                ///< Empty where a vocabulary was given and there is no such file.
  std::optional<TextPart> valid;
  TextPart test;
  Vocabulary vocabulary;
};

/// Whether a data set of that name is a text: "words:..." or "characters:...".
bool is_text_name(std::string_view name) noexcept;

/// Opens "words:PATH", "characters:PATH" or either with "generated" for PATH; options follow behind
/// commas. PATH is a folder with the files train.txt, valid.txt (or validation, val) and test.txt,
/// the name before such endings (lm/ptb for lm/ptb.train.txt), or one file, of which 90 % is for
/// training, 5 % for validation and 5 % for testing, in this order. It is searched under the data
/// folders, then as it is. Files may be packed by gzip.
///
/// A line of words ends in `<eos>`, also an empty one and the last one without a line break.
///
/// Options: `vocabulary=N` keeps the N - 1 most frequent words and `<unk>`. For "generated": seed,
/// train, valid, test (sentences), as GrammarOptions has them.
///
/// @param vocabulary  that of a model, to be taken in place of one built from the training part.
/// @throws InputError for a name that is malformed, files that are missing (saying where was
///     searched), or a vocabulary of other units; FormatError for files that are damaged, empty or
///     not UTF-8.
TextSet open_text(const std::string& name,
                  const DataOptions& options,
                  const Vocabulary* vocabulary = nullptr);

}  // namespace lastbit
