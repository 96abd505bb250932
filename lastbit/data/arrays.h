#pragma once

#include <filesystem>
#include <string>

#include "lastbit/data/dataset.h"

namespace lastbit {

/// True if `folder` holds one of x_train.npy, y_train.npy, x_test.npy, y_test.npy.
bool has_npy(const std::filesystem::path& folder);

/// Reads a data set of four arrays: x_train, y_train, x_test, y_test, in an npz file or as npy
/// files in a folder.
///
/// Samples: (n, height, width) are images of one channel, (n, channels, height, width) are images
/// and (n, features) are vectors; u1 (divided by 255), f4 or f8. Labels: (n) or (n, 1), any
/// integers.
/// @throws InputError if a file is missing; FormatError for another shape or dtype, and as
///     `parse_npy`, `Npz` and `make_dataset` do.
Dataset read_npz(const std::string& name, const std::filesystem::path& path);
Dataset read_npy_folder(const std::string& name, const std::filesystem::path& folder);

}  // namespace lastbit
