#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "lastbit/data/detection.h"

namespace lastbit {

/// Which lists of ImageSets/Main/ make the parts.
struct VocOptions {
  /// Name of the training list without ".txt". Empty: "trainval" where test.txt is there too, else
  /// "train"; without any lists, all images that are not for testing.
  std::string train;
  /// Name of the test list. Empty: "test", or "val" where there is no test.txt; without any lists,
  /// every fifth image in the order of their names.
  std::string test;
  /// A second folder whose images of the training list are trained on as well, as VOC2012 beside
  /// VOC2007. Empty: none.
  std::filesystem::path also;
};

/// Reads "train=trainval,test=test,also=VOCdevkit/VOC2012".
/// @throws InputError for an unknown key, one given twice or without a value, and names of lists
///     with a slash.
VocOptions parse_voc_options(std::string_view text);

/// Opens a folder of PASCAL VOC's layout: Annotations/ID.xml, JPEGImages/ID.jpg (or .jpeg, .png;
/// what a file is, its first bytes say) and ImageSets/Main/LIST.txt. "annotations" and "images" are
/// read as well. Classes are the names of the objects of both parts, sorted.
///
/// Annotations and the headers of all images are read at once. An image is left out, and told by
/// `skipped`, where its file or its annotation is missing or cannot be read, or where the two
/// differ in size. A box is clipped to its image, or left out where nothing of it remains or
/// where xmin < xmax and ymin < ymax do not hold; `corrected` tells.
/// @throws InputError for missing folders and lists; FormatError for damaged lists, parts without
/// an
///     image or a class; for the first of what is said above where `data.strict`.
DetectionSet read_voc(const std::string& name,
                      const std::filesystem::path& folder,
                      const VocOptions& options,
                      const DataOptions& data);

}  // namespace lastbit
