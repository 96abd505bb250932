#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lastbit/data/dataset.h"

namespace lastbit {

/// The folders in which data sets are searched by name, in this order.
std::vector<std::filesystem::path> data_folders(const DataOptions& options);

/// True if `path` is a folder.
bool is_folder(const std::filesystem::path& path);

/// The first folder that `path` names under the data folders, or else as it is.
/// @throws InputError that lists where was searched.
std::filesystem::path find_folder(const std::string& path, const DataOptions& options);

}  // namespace lastbit
