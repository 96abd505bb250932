#include "lastbit/data/image_list.h"

#include <algorithm>
#include <string_view>
#include <system_error>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/data/image.h"

namespace lastbit {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAnnotations = "val_annotations.txt";

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::vector<std::string> folders_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && !name.starts_with('.')) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::int32_t label_of(const std::vector<std::string>& classes,
                      std::string_view name,
                      const fs::path& from) {
  const auto found = std::ranges::lower_bound(classes, name);
  if (found != classes.end() && *found == name) {
    return static_cast<std::int32_t>(found - classes.begin());
  }
  throw FormatError(cat("[images] ",
                        from.string(),
                        " has class '",
                        name,
                        "', which is none of the ",
                        classes.size(),
                        " folders in train"));
}

void add_class(const fs::path& folder, std::int32_t label, ImageFiles& files) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink)) {
    if (!entry.is_directory() && has_image_name(entry.path().filename().string())) {
      paths.push_back(entry.path());
    }
  }
  std::ranges::sort(
      paths, {}, [](const fs::path& path) -> auto& { return path.native(); });
  files.labels.insert(files.labels.end(), paths.size(), label);
  std::ranges::move(paths, std::back_inserter(files.paths));
}

ImageFiles list_classes(const fs::path& part, const std::vector<std::string>& classes) {
  ImageFiles files;
  for (const std::string& name : folders_in(part)) {
    add_class(part / name, label_of(classes, name, part), files);
  }
  return files;
}

ImageFiles read_annotations(const fs::path& part, const std::vector<std::string>& classes) {
  const fs::path list = part / kAnnotations;
  const MappedFile file(list);
  std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  std::vector<std::pair<std::string, std::int32_t>> rows;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const std::size_t tab = line.find('\t');
    if (tab == 0 || tab == std::string_view::npos || line.find('/') < tab) {
      throw FormatError(cat("[images] ",
                            list.string(),
                            " line ",
                            rows.size() + 1,
                            " is no file name, a tab and a class"));
    }
    const std::string_view rest = line.substr(tab + 1);
    rows.emplace_back(line.substr(0, tab),
                      label_of(classes, rest.substr(0, rest.find_first_of("\t\r")), list));
  }
  std::ranges::sort(rows);
  ImageFiles files;
  for (const auto& [name, label] : rows) {
    files.paths.push_back(part / "images" / name);
    files.labels.push_back(label);
  }
  return files;
}

fs::path test_part(const fs::path& folder) {
  for (const char* const name : {"val", "valid", "test"}) {
    if (is_folder(folder / name)) return folder / name;
  }
  throw InputError(cat("[images] ", folder.string(), " has no val, valid or test beside train"));
}

void require_images(const ImageFiles& files, const fs::path& part) {
  if (!files.paths.empty()) return;
  throw InputError(
      cat("[images] ", part.string(), " has no .jpg, .jpeg or .png in folders of classes"));
}

ImageList list(const fs::path& folder) {
  ImageList images;
  const fs::path train = folder / "train";
  if (!is_folder(train)) throw InputError(cat("[images] ", folder.string(), " has no train"));
  images.classes = folders_in(train);
  images.train = list_classes(train, images.classes);
  require_images(images.train, train);
  const fs::path test = test_part(folder);
  std::error_code error;
  images.test = fs::exists(test / kAnnotations, error) ? read_annotations(test, images.classes)
                                                       : list_classes(test, images.classes);
  require_images(images.test, test);
  return images;
}

}  // namespace

bool has_image_folder(const fs::path& folder) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder / "train", error)) {
    if (entry.is_directory(error)) return true;
  }
  return false;
}

ImageList list_images(const fs::path& folder) {
  try {
    return list(folder);
  } catch (const fs::filesystem_error& error) {
    throw InputError(
        cat("[images] cannot list ", error.path1().string(), ": ", error.code().message()));
  }
}

}  // namespace lastbit
