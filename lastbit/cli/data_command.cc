#include <filesystem>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/command_line.h"
#include "lastbit/cli/commands.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/table.h"
#include "lastbit/data/detection.h"
#include "lastbit/data/download.h"

namespace lastbit {
namespace {

Table new_table() { return Table({"data set", "where", "train", "test", "shape", "classes"}); }

void add_row(Table& table, const DataChoice& choice) {
  const Dataset data = open(choice);
  table.add({data.name,
             data.folder.empty() ? "generated" : data.folder.string(),
             cat(data.train->size()),
             cat(data.test->size()),
             cat("[", join(data.train->sample_shape()), "]"),
             cat(data.train->classes())});
}

void print_list(const DataChoice& choice) {
  Table table = new_table();
  for (const DatasetInfo& info : known_datasets()) {
    try {
      DataChoice one = choice;
      one.name = info.name;
      add_row(table, one);
    } catch (const FormatError& error) {
      table.add({std::string(info.name), error.what(), "-", "-", "-", "-"});
    } catch (const InputError&) {
      table.add({std::string(info.name), "not here", "-", "-", "-", "-"});
    }
  }
  std::cout << table.text()
            << "Missing ones: 'lastbit data fetch NAME'. Or give --data a folder or .npz "
            << "file of your own, words:PATH or characters:PATH for a text, or voc:PATH for images "
            << "with boxes.\n";
}

void show_text(const DataChoice& choice) {
  const TextSet text = open_text(choice.name, {.data_dir = choice.folder});
  const std::string units(to_string(text.vocabulary.units()));
  Table table({"part", units, "not in the vocabulary"});
  const auto add = [&](const std::string& name, const TextPart& part) {
    table.add({name, cat(part.ids.size()), cat(part.unknown)});
  };
  add("train", text.train);
  if (text.valid) add("valid", *text.valid);
  add("test", text.test);
  std::cout << text.name << ": "
            << (text.folder.empty() ? std::string("generated") : text.folder.string())
            << ", a vocabulary of " << text.vocabulary.size() << "\n"
            << table.text();
}

// How many boxes of class `label` a part has, and how many of them are difficult.
std::pair<std::int64_t, std::int64_t> boxes_of(const DetectionSource& part, std::int32_t label) {
  std::pair<std::int64_t, std::int64_t> result;
  for (const DetectionEntry& entry : part.entries()) {
    for (const LabelledBox& object : entry.objects) {
      if (object.label != label) continue;
      ++result.first;
      if (object.difficult) ++result.second;
    }
  }
  return result;
}

void show_boxes(const DataChoice& choice) {
  const DetectionSet set = open_detection(choice.name, options_of(choice));
  Table table({"class", "boxes to train", "difficult", "boxes to test", "difficult"});
  for (std::size_t i = 0; i < set.class_names.size(); ++i) {
    const auto [train, hard] = boxes_of(*set.train, static_cast<std::int32_t>(i));
    const auto [test, hard_to_test] = boxes_of(*set.test, static_cast<std::int32_t>(i));
    table.add({set.class_names[i], cat(train), cat(hard), cat(test), cat(hard_to_test)});
  }
  std::cout << set.name << ": " << set.folder.string() << ", " << set.train->size()
            << " images to train, " << set.test->size() << " to test\n"
            << table.text();
  for (const auto& part : {set.train, set.test}) {
    report_sentences("skipped", "image", part->skipped());
    report_sentences("corrected", "box", part->corrected());
  }
}

void fetch(const std::string& name, FetchOptions options) {
  std::string last;
  std::unique_ptr<ProgressBar> bar;
  options.progress = [&](const FetchProgress& at) {
    if (at.file != last) {
      last = at.file;
      bar = std::make_unique<ProgressBar>(static_cast<std::int64_t>(at.size), "bytes");
      bar->line(cat("fetching ", last, " (", bytes_text(static_cast<double>(at.size)), ")"));
    }
    bar->update(static_cast<std::int64_t>(at.done), last);
  };
  const std::filesystem::path folder = fetch_dataset(name, options);
  bar.reset();
  std::cout << name << " is in " << folder.string() << ", every file's SHA-256 checked\n";
}

}  // namespace

int data_command(int argc, char** argv) {
  CommandLine line("lastbit data",
                   "Lists the data sets, shows one, or downloads one.\n"
                   "Example: lastbit data fetch mnist");
  DataChoice choice;
  FetchOptions options;
  std::vector<std::string> words;
  std::string folder;
  line.app()
      .add_option("action",
                  words,
                  "Nothing or 'list' to list; 'show NAME' for one; 'fetch NAME' to download")
      ->type_name("[list | show NAME | fetch NAME]");
  line.app()
      .add_option("--data-dir", folder, "Folder of data sets (default ./data)")
      ->type_name("DIR");
  line.app()
      .add_option("--url",
                  options.base_url,
                  "fetch: folder of the files on a server, in place of the public mirror")
      ->type_name("URL");
  line.app()
      .add_option("--retries", options.retries, "fetch: further attempts after one that failed")
      ->check(CLI::Range(0, 100));
  if (!line.parse(argc, argv)) return 0;

  const bool lists = words.empty() || words[0] == "list";
  if (lists && words.size() <= 1) {
    choice.folder = folder;
    print_list(choice);
    return 0;
  }
  if (words[0] == "show" && words.size() == 2) {
    choice.folder = folder;
    choice.name = words[1];
    if (is_text_name(choice.name)) {
      show_text(choice);
      return 0;
    }
    if (is_detection_name(choice.name)) {
      show_boxes(choice);
      return 0;
    }
    Table table = new_table();
    add_row(table, choice);
    std::cout << table.text();
    return 0;
  }
  if (words[0] != "fetch" || words.size() != 2) {
    throw InputError(
        cat("[data] '",
            join(words, " "),
            "' is not understood, expected 'list', 'show NAME', or 'fetch NAME' with one of: ",
            join(fetchable_datasets())));
  }
  if (!folder.empty()) options.folder = folder;
  fetch(words[1], options);
  return 0;
}

}  // namespace lastbit
