#include "lastbit/data/voc.h"

#include <algorithm>
#include <array>
#include <set>
#include <system_error>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/base/threads.h"
#include "lastbit/data/voc_annotation.h"
#include "lastbit/data/voc_list.h"

namespace lastbit {
namespace {

namespace fs = std::filesystem;

/// An image as its files have it.
struct Found {
  fs::path image;
  ImageSize size;
  VocAnnotation annotation;
  std::string error;  // not empty: the image is left out
};

std::string text_of(const ImageSize& size) { return cat(size.width, " x ", size.height); }

// The image that belongs to an annotation: of its name, or else of the name that stands in it.
fs::path find_image(const VocFiles& files, const VocAnnotation& annotation) {
  std::error_code error;
  for (const char* const ending : {".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"}) {
    fs::path path = files.image_folder / (files.id + ending);
    if (fs::is_regular_file(path, error)) return path;
  }
  // Of its last part alone: it may be a path of another machine.
  const std::string name =
      annotation.file_name.substr(annotation.file_name.find_last_of("/\\") + 1);
  fs::path named = files.image_folder / name;
  if (has_image_name(name) && fs::is_regular_file(named, error)) return named;
  throw InputError(cat("[voc] ",
                       (files.image_folder / files.id).string(),
                       " is missing as .jpg, .jpeg and .png, but ",
                       files.annotation.string(),
                       " describes it"));
}

Found read_one(const VocFiles& files) {
  Found found;
  const std::string where = files.annotation.string();
  found.annotation = read_voc_annotation(MappedFile(files.annotation).bytes(), where);
  found.image = find_image(files, found.annotation);
  found.size = read_image_size(MappedFile(found.image).bytes(), found.image.string());
  const ImageSize& said = found.annotation.size;
  if (said != ImageSize{} && said != found.size) {
    throw FormatError(cat("[voc] ",
                          where,
                          " is for an image of ",
                          text_of(said),
                          ", but ",
                          found.image.string(),
                          " is ",
                          text_of(found.size)));
  }
  return found;
}

std::vector<Found> read_all(const std::vector<VocFiles>& files, const DataOptions& data) {
  std::vector<Found> all(files.size());
  const int threads = data.threads > 0 ? data.threads : usable_processors();
  parallel_for(files.size(), threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      try {
        all[i] = read_one(files[i]);
      } catch (const InputError& error) {
        all[i].error = error.what();
      }
    }
  });
  return all;
}

/// Makes the images of a part usable and says what was wrong with some.
class PartBuilder {
 public:
  PartBuilder(const std::vector<std::string>& classes, bool strict)
      : classes_(classes), strict_(strict) {}

  std::shared_ptr<const DetectionSource> build(const std::vector<VocFiles>& files,
                                               std::vector<Found> all) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      Found& found = all[i];
      if (!found.error.empty()) {
        report(std::move(found.error), skipped_);
        continue;
      }
      DetectionEntry entry{.path = std::move(found.image), .size = found.size, .objects = {}};
      const std::vector<VocObject>& objects = found.annotation.objects;
      for (std::size_t k = 0; k < objects.size(); ++k) {
        place_ = cat("[voc] ",
                     files[i].annotation.string(),
                     " object ",
                     k + 1,
                     " ('",
                     objects[k].name,
                     "') ");
        add(objects[k], entry);
      }
      entries_.push_back(std::move(entry));
    }
    if (entries_.empty()) {
      throw FormatError(cat("[voc] no image can be read, the first since: ", skipped_.front()));
    }
    return std::make_shared<const DetectionSource>(
        std::move(entries_), std::move(skipped_), std::move(corrected_), strict_);
  }

 private:
  void report(std::string sentence, std::vector<std::string>& to) const {
    if (strict_) throw FormatError(sentence);
    to.push_back(std::move(sentence));
  }

  void add(const VocObject& object, DetectionEntry& entry) {
    const Box& box = object.box;
    const std::string corners =
        cat("is ", box.left + 1.0F, ", ", box.top + 1.0F, ", ", box.right, ", ", box.bottom);
    // One pixel wide is a click without a drag, and no object.
    if (box.left + 1.0F >= box.right || box.top + 1.0F >= box.bottom) {
      report(cat(place_, corners, ": left out, expected xmin < xmax and ymin < ymax"), corrected_);
      return;
    }
    const Box inside =
        clipped(box, static_cast<float>(entry.size.width), static_cast<float>(entry.size.height));
    if (!has_area(inside)) {
      report(cat(place_, corners, ": left out, beyond the image of ", text_of(entry.size)),
             corrected_);
      return;
    }
    if (inside != box) {
      report(cat(place_, corners, ": clipped to the image of ", text_of(entry.size)), corrected_);
    }
    const auto label = std::ranges::lower_bound(classes_, object.name) - classes_.begin();
    entry.objects.push_back({.box = inside,
                             .label = static_cast<std::int32_t>(label),
                             .difficult = object.difficult,
                             .truncated = object.truncated});
  }

  const std::vector<std::string>& classes_;
  bool strict_;
  std::string place_;
  std::vector<DetectionEntry> entries_;
  std::vector<std::string> skipped_;
  std::vector<std::string> corrected_;
};

void require_images(const std::vector<VocFiles>& files,
                    std::string_view part,
                    const fs::path& folder) {
  if (files.empty()) throw FormatError(cat("[voc] ", folder.string(), " has no image to ", part));
}

}  // namespace

VocOptions parse_voc_options(std::string_view text) {
  VocOptions options;
  std::set<std::string_view> seen;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const std::string_view name = item.substr(0, item.find('='));
    const std::string value(item.substr(std::min(name.size() + 1, item.size())));
    if (name != "train" && name != "test" && name != "also") {
      throw InputError(cat("[voc] unknown key '",
                           name,
                           "', expected train, test or also as in "
                           "voc:VOC2007,train=trainval,test=test,also=VOC2012"));
    }
    if (!seen.insert(name).second) throw InputError(cat("[voc] ", name, " is given twice"));
    if (value.empty() || (name != "also" && value.find_first_of("/\\.") != std::string::npos)) {
      throw InputError(cat("[voc] ", name, " is '", value, "', expected a name"));
    }
    if (name == "also") {
      options.also = value;
    } else {
      (name == "train" ? options.train : options.test) = value;
    }
  }
  return options;
}

DetectionSet read_voc(const std::string& name,
                      const fs::path& folder,
                      const VocOptions& options,
                      const DataOptions& data) {
  const VocLists lists = list_voc(folder, options);
  require_images(lists.train, "train on", folder);
  require_images(lists.test, "test on", folder);
  std::vector<Found> train = read_all(lists.train, data);
  std::vector<Found> test = read_all(lists.test, data);

  DetectionSet set{.name = name, .folder = folder, .class_names = {}, .train = {}, .test = {}};
  std::set<std::string> names;
  for (const auto* const part : {&train, &test}) {
    for (const Found& found : *part) {
      for (const VocObject& object : found.annotation.objects) names.insert(object.name);
    }
  }
  set.class_names.assign(names.begin(), names.end());
  set.train = PartBuilder(set.class_names, data.strict).build(lists.train, std::move(train));
  set.test = PartBuilder(set.class_names, data.strict).build(lists.test, std::move(test));
  if (names.empty()) throw FormatError(cat("[voc] ", folder.string(), " has no object"));
  return set;
}

}  // namespace lastbit
