#include "lastbit/cli/data_options.h"

#include <algorithm>
#include <iostream>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

CLI::Option* add_data_options(CLI::App& app, DataChoice& choice) {
  std::vector<std::string> names;
  for (const DatasetInfo& info : known_datasets()) names.emplace_back(info.name);
  app.add_option("--data-dir",
                 choice.folder,
                 "Folder that holds data sets (else $LASTBIT_DATA, then ./data)")
      ->type_name("DIR");
  app.add_flag("--strict", choice.strict, "End at the first damaged image, which else is skipped");
  return app
      .add_option("--data",
                  choice.name,
                  cat("Data set: ",
                      join(names),
                      ", imagefolder:PATH, voc:PATH (images with boxes), words:PATH, "
                      "characters:PATH, or a folder or .npz file of your own"))
      ->type_name("NAME");
}

void add_part_option(CLI::App& app, DataChoice& choice) {
  app.add_option(
         "--part", choice.part, "Which part of the data set: test or train; of texts, valid")
      ->check(CLI::IsMember({"test", "valid", "train"}))
      ->type_name("PART");
}

DataOptions options_of(const DataChoice& choice) {
  return {.data_dir = choice.folder, .threads = 0, .strict = choice.strict};
}

Dataset open(const DataChoice& choice) { return open_dataset(choice.name, options_of(choice)); }

std::shared_ptr<const DatasetSource> open_part(const DataChoice& choice) {
  if (choice.part == "valid") {
    throw InputError(cat(
        "[data] ", choice.name, " has no part 'valid', which texts have, expected test or train"));
  }
  const Dataset dataset = open(choice);
  return choice.part == "train" ? dataset.train : dataset.test;
}

TextPart open_text_part(const DataChoice& choice, const Vocabulary& vocabulary) {
  TextSet text = open_text(choice.name, options_of(choice), &vocabulary);
  TextPart part = choice.part == "test" ? std::move(text.test) : std::move(text.train);
  if (choice.part == "valid") part = text.valid ? *std::move(text.valid) : TextPart{};
  if (!part.ids.empty()) return part;
  throw InputError(
      cat("[data] ", choice.name, " has no part '", choice.part, "' in ", text.folder.string()));
}

std::string unknown_text(const TextPart& part, TextUnits units) {
  if (part.unknown == 0) return "";
  return cat(
      part.unknown, " of ", part.ids.size(), " ", to_string(units), " are not in the vocabulary");
}

std::vector<std::string> report_skipped(std::initializer_list<std::vector<std::string>> parts) {
  std::vector<std::string> all;
  for (const std::vector<std::string>& part : parts) {
    all.insert(all.end(), part.begin(), part.end());
  }
  report_sentences("skipped", "damaged image", all);
  return all;
}

void report_sentences(std::string_view done,
                      std::string_view what,
                      const std::vector<std::string>& sentences) {
  constexpr std::size_t kNamed = 10;
  if (sentences.empty()) return;
  const std::size_t count = sentences.size();
  std::cerr << "data: " << done << " " << count << " " << what
            << (count == 1            ? ""
                : what.ends_with('x') ? "es"
                                      : "s")
            << "\n";
  for (std::size_t i = 0; i < std::min(count, kNamed); ++i) {
    std::cerr << "  " << sentences[i] << "\n";
  }
  if (count > kNamed) std::cerr << "  and " << count - kNamed << " more\n";
}

}  // namespace lastbit
