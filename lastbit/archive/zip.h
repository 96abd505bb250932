#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

/// The entries of a zip archive that lies in memory, zip64 fields included.
class Zip {
 public:
  /// One row of the archive's list. Nothing of it has been checked but that it lies in the list.
  struct Entry {
    std::string name;
    unsigned flags = 0;
    unsigned method = 0;
    std::uint32_t checksum = 0;
    std::uint64_t packed_size = 0;
    std::uint64_t size = 0;  ///< unpacked
    std::uint64_t offset = 0;
  };

  /// Reads the list of entries.
  /// @param bytes  the whole file; outlives this object.
  /// @param where  begins every error message, as "[npz] data/x.npz".
  /// @throws FormatError if the bytes are no zip archive, are cut off, or are a part of a split
  ///     one.
  Zip(std::span<const std::byte> bytes, std::string where);

  const std::vector<Entry>& entries() const noexcept { return entries_; }
  /// The first entry of that name, or null.
  const Entry* find(std::string_view name) const noexcept;

  /// Unpacks an entry; its checksum is verified.
  /// @throws FormatError if it is damaged, encrypted, or packed by a method other than deflate.
  std::vector<std::byte> read(const Entry& entry) const;

 private:
  std::span<const std::byte> packed(const Entry& entry) const;

  std::span<const std::byte> bytes_;
  std::string where_;
  std::vector<Entry> entries_;
};

}  // namespace lastbit
