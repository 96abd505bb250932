#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace lastbit {

/// The files of a text: those of its parts, or one for all.
struct TextFiles {
  std::filesystem::path folder;
  std::optional<std::filesystem::path> train;
  std::optional<std::filesystem::path> valid;
  std::optional<std::filesystem::path> test;
  std::optional<std::filesystem::path> whole;
};

/// Finds what `path` names in the first of `places` (full paths) that has it: a file, a folder with
/// the files of parts, or what such files are called in front of their part.
/// @throws InputError that lists where was searched; or the texts, if a folder holds several.
TextFiles find_text_files(const std::string& path, std::span<const std::filesystem::path> places);

/// Most bytes of a text.
inline constexpr std::size_t kMostTextBytes = std::size_t{1} << 30U;

/// Reads a text, packed by gzip or not.
/// @throws InputError if the file cannot be read or is larger than kMostTextBytes; FormatError if
///     it is damaged or is not UTF-8.
std::string read_text_file(const std::filesystem::path& path);

}  // namespace lastbit
