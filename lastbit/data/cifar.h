#pragma once

#include <filesystem>
#include <string>

#include "lastbit/data/dataset.h"

namespace lastbit {

/// True if `folder`, or the folder in it that the archives unpack to, holds a file of the binary
/// version of CIFAR-10 or CIFAR-100, or one of the archives.
bool has_cifar(const std::filesystem::path& folder);

/// Reads the binary version of CIFAR-10 or CIFAR-100 (Krizhevsky 2009), whichever is there.
///
/// Records of one label byte (CIFAR-100: the coarse, then the fine label, of which the fine one is
/// taken) and 3072 bytes: the red, green and blue planes of 32x32. CIFAR-10:
/// data_batch_1.bin, ..., data_batch_5.bin and test_batch.bin; CIFAR-100: train.bin and test.bin.
/// Unpacked files come first, then cifar-10-binary.tar.gz or cifar-100-binary.tar.gz.
/// @throws InputError naming the missing file; FormatError for a size that is no whole number of
///     records and for a label out of range, with file and record.
Dataset read_cifar(const std::string& name, const std::filesystem::path& folder);

}  // namespace lastbit
