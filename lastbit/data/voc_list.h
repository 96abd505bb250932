#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lastbit/data/voc.h"

namespace lastbit {

/// An image of a set by its files. Either may be missing.
struct VocFiles {
  std::string id;
  std::filesystem::path annotation;
  std::filesystem::path image_folder;
};

struct VocLists {
  std::vector<VocFiles> train;
  std::vector<VocFiles> test;
};

/// The images of the parts, as `read_voc` says.
VocLists list_voc(const std::filesystem::path& folder, const VocOptions& options);

}  // namespace lastbit
