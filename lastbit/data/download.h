#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace lastbit {

/// A file on a server, with what is known about it beforehand.
struct RemoteFile {
  std::string_view name;
  std::string_view sha256;  ///< 64 lower-case hexadecimal digits.
  std::uint64_t size = 0;   ///< Bytes.
};

/// How far the download of one file has come.
struct FetchProgress {
  std::string_view file;
  std::uint64_t done = 0;  ///< Bytes on the disk, those of an earlier attempt included.
  std::uint64_t size = 0;
};

struct FetchOptions {
  std::string base_url;                   ///< Folder of the files; empty takes the public mirror.
  std::filesystem::path folder = "data";  ///< Data folder. Missing folders are made.
  int retries = 4;          ///< Further attempts at a file after one that failed, 0, ..., 100.
  double timeout_s = 30.0;  ///< For connecting, and for a transfer that stands still. At least 1.
  std::function<void(const FetchProgress&)> progress;  ///< Called often, on the calling thread.
  std::function<void(double seconds)> sleep;  ///< Waits between attempts; empty really sleeps.
};

/// The names that `fetch_dataset` takes.
std::span<const std::string_view> fetchable_datasets() noexcept;

/// Downloads the files of a data set into `options.folder` / `name`, where `open_dataset` finds
/// them.
/// @return that folder.
/// @throws InputError for an unknown name, with the known ones; otherwise as `fetch_files`.
std::filesystem::path fetch_dataset(std::string_view name, const FetchOptions& options);

/// Downloads files from `options.base_url` straight into `options.folder`.
///
/// A file that is there with the right hash is left alone. Others are written to <name>.part, which
/// a later call continues (HTTP Range, RFC 9110 section 14), checked and renamed. An attempt that
/// ends early, times out or meets a server's error (408, 429, 5xx) is repeated after 0.2 s, then
/// 0.4 s, 0.8 s, ...; the part that has arrived is kept.
/// @throws InputError for an answer that a repetition cannot change (404, another protocol than
///     http and https, a body larger than expected), for a wrong hash, after which the .part is
///     removed, for the last failed attempt, and for a folder that cannot be written.
void fetch_files(std::span<const RemoteFile> files, const FetchOptions& options);

}  // namespace lastbit
