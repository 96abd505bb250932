#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lastbit {

/// Image files with their classes.
struct ImageFiles {
  std::vector<std::filesystem::path> paths;
  std::vector<std::int32_t> labels;  // (paths.size())
};

/// What a folder of images holds.
struct ImageList {
  std::vector<std::string> classes;  // sorted; a label is an index here
  ImageFiles train;
  ImageFiles test;
};

/// True if `folder` holds train/CLASS.
bool has_image_folder(const std::filesystem::path& folder);

/// Lists train/CLASS/... and, for testing, the first that is there of val, valid and test, with the
/// same CLASS/... or, as in Tiny ImageNet, images/ beside val_annotations.txt, whose lines begin
/// with a file's name and its class, separated by tabs. Class folders are searched to any depth for
/// files that end in .jpg, .jpeg or .png; paths are sorted.
/// @throws InputError for a missing or empty part; FormatError for a class that training lacks or a
///     damaged list.
ImageList list_images(const std::filesystem::path& folder);

}  // namespace lastbit
