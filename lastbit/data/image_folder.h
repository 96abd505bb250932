#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "lastbit/data/dataset.h"

namespace lastbit {

/// How a folder of images becomes samples (3, height, width).
struct ImageFolderOptions {
  /// Side of a sample. 0 takes the images as they are if all have one size, else 224.
  std::int64_t size = 0;
  /// Length that the shorter side is resized to before the middle is cut out, at least `size`.
  /// 0: as `size`, or 256 where that is 224 for want of another.
  std::int64_t resize = 0;
  /// MiB of samples as bytes, both parts together, up to which all are decoded once and kept.
  std::int64_t keep = 2048;
};

/// Reads "size=224,resize=256,keep=0".
/// @throws InputError for an unknown key, one given twice or a value out of range.
ImageFolderOptions parse_image_folder_options(std::string_view text);

/// Opens a folder of JPEG and PNG files; `list_images` says which.
///
/// Every header is read at once. A set that fits `keep` is decoded at once too; of another one,
/// `gather` decodes what it is asked for. A file that cannot be read is left out when it is found
/// at once; one found in `gather` is replaced by the next file of its class that can be read, in
/// their order, so that samples are a function of the files alone. Both are told by `skipped`.
/// @throws InputError and FormatError as `list_images`; for the first file that cannot be read
/// where
///     `data.strict`, later also from `gather`; for a part of which no file can be read.
Dataset read_image_folder(const std::string& name,
                          const std::filesystem::path& folder,
                          const ImageFolderOptions& options,
                          const DataOptions& data);

}  // namespace lastbit
