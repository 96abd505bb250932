#pragma once

#include <filesystem>
#include <string>

#include "lastbit/data/dataset.h"
#include "lastbit/data/parts.h"

namespace lastbit {

/// Reads one part from a file of images and one of labels, each gzip or not.
///
/// IDX (LeCun): big-endian magic 0x0000TTDD, T the type (8: unsigned byte) and D the number of
/// dimensions, then D sizes of 32 bits, then the values. Images have 3 dimensions, labels 1.
/// @throws InputError if a file cannot be read; FormatError for another magic, a size of zero, or a
///     file that does not have the bytes its header promises.
Samples read_idx(const std::filesystem::path& images, const std::filesystem::path& labels);

/// True if `folder` holds a file that `read_idx_folder` would read.
bool has_idx(const std::filesystem::path& folder);

/// Reads {train,t10k}-images-idx3-ubyte[.gz] and {train,t10k}-labels-idx1-ubyte[.gz]. A mirror's
/// spelling with a dot, train-images.idx3-ubyte, is taken too; unpacked files come first.
/// @throws InputError naming the missing file; otherwise as `read_idx` and `make_dataset`.
Dataset read_idx_folder(const std::string& name, const std::filesystem::path& folder);

}  // namespace lastbit
