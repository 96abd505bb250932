#include "lastbit/data/detection.h"

#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/data/places.h"
#include "lastbit/data/voc.h"

namespace lastbit {
namespace {

constexpr std::string_view kVoc = "voc:";

Image decode(const DetectionEntry& entry) {
  const std::string where = entry.path.string();
  Image image = decode_image(MappedFile(entry.path).bytes(), where, 0);
  if (image.size == entry.size) return image;
  throw FormatError(cat("[image] ",
                        where,
                        " is ",
                        image.size.width,
                        " x ",
                        image.size.height,
                        ", expected ",
                        entry.size.width,
                        " x ",
                        entry.size.height,
                        " as its header said before"));
}

}  // namespace

DetectionSource::DetectionSource(std::vector<DetectionEntry> entries,
                                 std::vector<std::string> skipped,
                                 std::vector<std::string> corrected,
                                 bool strict)
    : entries_(std::move(entries)),
      left_out_(std::move(skipped)),
      corrected_(std::move(corrected)),
      strict_(strict) {}

DetectionSample DetectionSource::read(std::int64_t index) const {
  if (index < 0 || index >= size()) {
    throw InputError(cat("[detection] index is ", index, ", expected 0, ..., ", size() - 1));
  }
  const std::size_t count = entries_.size();
  const auto first = static_cast<std::size_t>(index);
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t at = (first + k) % count;
    try {
      return {.index = static_cast<std::int64_t>(at),
              .image = decode(entries_[at]),
              .objects = entries_[at].objects};
    } catch (const InputError& error) {
      if (strict_) throw;
      const std::lock_guard lock(mutex_);
      replaced_.emplace(at, error.what());
    }
  }
  throw FormatError(
      cat("[detection] ", entries_[first].path.string(), " cannot be read, and no other image"));
}

std::vector<std::string> DetectionSource::skipped() const {
  std::vector<std::string> all = left_out_;
  const std::lock_guard lock(mutex_);
  for (const auto& [index, reason] : replaced_) all.push_back(reason);
  return all;
}

bool is_detection_name(std::string_view name) noexcept { return name.starts_with(kVoc); }

DetectionSet open_detection(const std::string& name, const DataOptions& options) {
  if (!is_detection_name(name)) {
    throw InputError(
        cat("[detection] no set of images with boxes is called '", name, "', expected voc:PATH"));
  }
  const std::string text = name.substr(kVoc.size());
  const std::string path = text.substr(0, text.find(','));
  VocOptions own =
      parse_voc_options(std::string_view(text).substr(std::min(path.size() + 1, text.size())));
  if (!own.also.empty()) own.also = find_folder(own.also.string(), options);
  return read_voc(name, find_folder(path, options), own, options);
}

}  // namespace lastbit
