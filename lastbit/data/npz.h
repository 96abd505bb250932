#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/base/file.h"

namespace lastbit {

/// A zip file of npy files, as numpy.savez and numpy.savez_compressed write it.
class Npz {
 public:
  /// Reads the list of entries.
  /// @throws InputError if the file cannot be read; FormatError if it is no zip file, is cut off,
  ///     or is split, encrypted or larger than 4 GiB (zip64).
  explicit Npz(const std::filesystem::path& path);

  const std::filesystem::path& path() const noexcept { return path_; }
  bool has(std::string_view array) const noexcept;
  /// Names of the arrays, without ".npy", in the order of the file.
  std::vector<std::string> arrays() const;

  /// Unpacks the npy file of one array; its checksum is verified.
  /// @throws FormatError if the array is missing, damaged, or packed by a method other than
  /// deflate.
  std::vector<std::byte> read(std::string_view array) const;

 private:
  struct Entry {
    std::string name;  // of the file inside, "x_train.npy"
    unsigned flags = 0;
    unsigned method = 0;
    std::uint32_t checksum = 0;
    std::uint32_t packed_size = 0;
    std::uint32_t size = 0;
    std::uint32_t offset = 0;
  };

  const Entry* find(std::string_view array) const noexcept;
  std::span<const std::byte> packed(const Entry& entry) const;

  std::filesystem::path path_;
  MappedFile file_;
  std::vector<Entry> entries_;
};

}  // namespace lastbit
