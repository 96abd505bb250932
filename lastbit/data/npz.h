#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/archive/zip.h"
#include "lastbit/base/file.h"

namespace lastbit {

/// A zip file of npy files, as numpy.savez and numpy.savez_compressed write it.
class Npz {
 public:
  /// Reads the list of entries.
  /// @throws InputError if the file cannot be read; FormatError if it is no zip file, is cut off or
  ///     is split.
  explicit Npz(const std::filesystem::path& path);

  const std::filesystem::path& path() const noexcept { return path_; }
  bool has(std::string_view array) const;
  /// Names of the arrays, without ".npy", in the order of the file.
  std::vector<std::string> arrays() const;

  /// Unpacks the npy file of one array; its checksum is verified.
  /// @throws FormatError if the array is missing, damaged, encrypted, or packed by a method other
  ///     than deflate.
  std::vector<std::byte> read(std::string_view array) const;

 private:
  std::filesystem::path path_;
  MappedFile file_;
  Zip zip_;
};

}  // namespace lastbit
