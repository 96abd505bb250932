#include "lastbit/data/voc_list.h"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <system_error>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/data/places.h"

namespace lastbit {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kEvery = 5;  // without lists, every fifth image is for testing

fs::path folder_in(const fs::path& parent, std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    if (is_folder(parent / name)) return parent / name;
  }
  throw InputError(cat("[voc] ", parent.string(), " has no folder ", join(names, " or ")));
}

/// A folder of VOC's layout.
struct Layout {
  fs::path annotations;
  fs::path images;
  fs::path lists;

  explicit Layout(const fs::path& folder)
      : annotations(folder_in(folder, {"Annotations", "annotations"})),
        images(folder_in(folder, {"JPEGImages", "images", "Images"})),
        lists(folder / "ImageSets" / "Main") {}

  fs::path list(const std::string& name) const { return lists / (name + ".txt"); }
  bool has_list(const std::string& name) const {
    std::error_code error;
    return fs::is_regular_file(list(name), error);
  }
  VocFiles files(const std::string& id) const {
    return {.id = id, .annotation = annotations / (id + ".xml"), .image_folder = images};
  }
};

std::vector<VocFiles> read_list(const Layout& layout, const std::string& name) {
  const fs::path path = layout.list(name);
  const MappedFile file(path);
  std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  std::vector<VocFiles> all;
  std::set<std::string, std::less<>> seen;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (line.empty()) continue;
    const auto fail = [&](std::string_view what) {
      throw FormatError(cat("[voc] ", path.string(), " line ", number, " ", what));
    };
    const bool plain = std::ranges::all_of(line, [](unsigned char letter) {
      return letter > ' ' && letter != 0x7f && letter != '/' && letter != '\\';
    });
    if (!plain || line.starts_with('.')) fail("is no name of an image without its ending");
    if (!seen.emplace(line).second) fail(cat("has image '", line, "' a second time"));
    all.push_back(layout.files(std::string(line)));
  }
  return all;
}

std::vector<VocFiles> list_annotations(const Layout& layout) {
  std::vector<std::string> ids;
  for (const fs::directory_entry& entry : fs::directory_iterator(layout.annotations)) {
    const fs::path name = entry.path().filename();
    if (name.extension() == ".xml" && !name.string().starts_with('.')) {
      ids.push_back(name.stem().string());
    }
  }
  std::ranges::sort(ids);
  std::vector<VocFiles> all;
  all.reserve(ids.size());
  for (const std::string& id : ids) all.push_back(layout.files(id));
  return all;
}

VocLists split(const std::vector<VocFiles>& all) {
  VocLists parts;
  for (std::size_t i = 0; i < all.size(); ++i) {
    (i % kEvery == kEvery - 1 ? parts.test : parts.train).push_back(all[i]);
  }
  return parts;
}

VocLists list(const fs::path& folder, const VocOptions& options) {
  const Layout layout(folder);
  const bool any = !options.train.empty() || !options.test.empty() || !options.also.empty() ||
                   layout.has_list("train") || layout.has_list("trainval");
  if (!any) return split(list_annotations(layout));
  const bool tests = layout.has_list("test");
  const std::string train = !options.train.empty()                 ? options.train
                            : tests && layout.has_list("trainval") ? "trainval"
                                                                   : "train";
  const std::string test = !options.test.empty() ? options.test : tests ? "test" : "val";
  VocLists parts{.train = read_list(layout, train), .test = read_list(layout, test)};
  if (!options.also.empty()) {
    const std::vector<VocFiles> more = read_list(Layout(options.also), train);
    parts.train.insert(parts.train.end(), more.begin(), more.end());
  }
  return parts;
}

}  // namespace

VocLists list_voc(const fs::path& folder, const VocOptions& options) {
  try {
    return list(folder, options);
  } catch (const fs::filesystem_error& error) {
    throw InputError(
        cat("[voc] cannot list ", error.path1().string(), ": ", error.code().message()));
  }
}

}  // namespace lastbit
