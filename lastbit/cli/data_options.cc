#include "lastbit/cli/data_options.h"

#include <algorithm>
#include <iostream>
#include <utility>
#include <vector>

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
                      ", imagefolder:PATH, or a folder or .npz file of your own"))
      ->type_name("NAME");
}

void add_part_option(CLI::App& app, DataChoice& choice) {
  app.add_option("--part", choice.part, "Which part of the data set: test or train")
      ->check(CLI::IsMember({"test", "train"}))
      ->type_name("PART");
}

Dataset open(const DataChoice& choice) {
  return open_dataset(choice.name,
                      {.data_dir = choice.folder, .threads = 0, .strict = choice.strict});
}

std::shared_ptr<const DatasetSource> open_part(const DataChoice& choice) {
  const Dataset dataset = open(choice);
  return choice.part == "train" ? dataset.train : dataset.test;
}

std::vector<std::string> report_skipped(std::initializer_list<const DatasetSource*> sources) {
  constexpr std::size_t kNamed = 10;
  std::vector<std::string> all;
  for (const DatasetSource* source : sources) {
    for (std::string& reason : source->skipped()) all.push_back(std::move(reason));
  }
  if (all.empty()) return all;
  std::cerr << "data: skipped " << all.size() << " damaged "
            << (all.size() == 1 ? "image" : "images") << "\n";
  for (std::size_t i = 0; i < std::min(all.size(), kNamed); ++i) {
    std::cerr << "  " << all[i] << "\n";
  }
  if (all.size() > kNamed) std::cerr << "  and " << all.size() - kNamed << " more\n";
  return all;
}

}  // namespace lastbit
