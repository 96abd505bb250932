#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace lastbit {

/// A file mapped read-only into memory for as long as the object lives. Move-only.
class MappedFile {
 public:
  /// @throws InputError if the path is missing, is not a regular file or cannot be read.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  /// The whole file; empty for an empty file.
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Writes a whole file so that a reader sees the old bytes or the new ones, never a part: to a
/// temporary name in the same folder, synced, then renamed. Missing folders are made.
///
/// @param pieces  written one after another.
/// @throws InputError naming the path and the system's reason (no permission, disk full); nothing
///     is left behind.
void write_file(const std::filesystem::path& path, std::span<const std::string_view> pieces);
void write_file(const std::filesystem::path& path, std::string_view text);

/// Checks that `write_file(path, ...)` could write, before hours of work are spent on what to
/// write. Makes the missing folders.
/// @throws InputError as `write_file` does.
void require_writable(const std::filesystem::path& path);

}  // namespace lastbit
