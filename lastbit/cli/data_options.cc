#include "lastbit/cli/data_options.h"

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
  return app
      .add_option("--data",
                  choice.name,
                  cat("Data set: ", join(names), ", or a folder or .npz file of your own"))
      ->type_name("NAME");
}

void add_part_option(CLI::App& app, DataChoice& choice) {
  app.add_option("--part", choice.part, "Which part of the data set: test or train")
      ->check(CLI::IsMember({"test", "train"}))
      ->type_name("PART");
}

Dataset open(const DataChoice& choice) {
  return open_dataset(choice.name, {.data_dir = choice.folder});
}

std::shared_ptr<const DatasetSource> open_part(const DataChoice& choice) {
  const Dataset dataset = open(choice);
  return choice.part == "train" ? dataset.train : dataset.test;
}

}  // namespace lastbit
