#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "lastbit/data/dataset.h"
#include "lastbit/data/image.h"
#include "lastbit/detect/box.h"

namespace lastbit {

/// An object in an image.
struct LabelledBox {
  Box box;  ///< Edges in pixels, within the image; has area.
  std::int32_t label = 0;
  bool difficult = false;  ///< Not counted in evaluation.
  bool truncated = false;

  friend bool operator==(const LabelledBox&, const LabelledBox&) = default;
};

/// An image file and what is in it.
struct DetectionEntry {
  std::filesystem::path path;
  ImageSize size;
  std::vector<LabelledBox> objects;
};

/// An image and what is in it, decoded.
struct DetectionSample {
  std::int64_t index = 0;  ///< That of the entry it was read from.
  Image image;
  std::vector<LabelledBox> objects;
};

/// Images with boxes by index. No cursor and no randomness. Any number of threads may read one
/// object.
class DetectionSource {
 public:
  /// @param skipped, corrected  what the functions of these names say.
  DetectionSource(std::vector<DetectionEntry> entries,
                  std::vector<std::string> skipped,
                  std::vector<std::string> corrected,
                  bool strict);

  std::int64_t size() const noexcept { return static_cast<std::int64_t>(entries_.size()); }
  std::span<const DetectionEntry> entries() const noexcept { return entries_; }

  /// Decodes image `index`, or, where its pixels are damaged, the next one that can be decoded, in
  /// their order: who evaluates leaves out samples with another index.
  /// @throws InputError for an index out of range; FormatError for the damaged file with
  /// `DataOptions::strict`, and where none can be decoded.
  DetectionSample read(std::int64_t index) const;

  /// A sentence for each image that was left out or replaced, so far.
  std::vector<std::string> skipped() const;
  /// A sentence for each box that was clipped or left out.
  const std::vector<std::string>& corrected() const noexcept { return corrected_; }

 private:
  std::vector<DetectionEntry> entries_;
  std::vector<std::string> left_out_;
  std::vector<std::string> corrected_;
  bool strict_;
  mutable std::mutex mutex_;
  mutable std::map<std::size_t, std::string> replaced_;  // by index; guarded by mutex_
};

/// The two parts of a set of images with boxes, over the same classes.
struct DetectionSet {
  std::string name;
  std::filesystem::path folder;
  std::vector<std::string> class_names;  // by label; sorted
  std::shared_ptr<const DetectionSource> train;
  std::shared_ptr<const DetectionSource> test;
};

/// True for names that `open_detection` takes: "voc:PATH".
bool is_detection_name(std::string_view name) noexcept;

/// Opens images with boxes: "voc:PATH", searched for as the folders of `open_dataset`, with the
/// options of `parse_voc_options` behind commas.
/// @throws InputError that says where was searched; as `read_voc`.
DetectionSet open_detection(const std::string& name, const DataOptions& options);

}  // namespace lastbit
