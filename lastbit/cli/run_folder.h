#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace lastbit {

/// The folder that a run leaves behind: `config.toml` (its options), `log.jsonl` (a line an epoch),
/// `result.json`, and models.
class RunFolder {
 public:
  /// Makes the folder and writes the options into it.
  /// @throws InputError if it holds a run already and `force` is not given, or cannot be written.
  RunFolder(std::filesystem::path path, const std::string& config, bool force);

  /// Opens the folder of a run that goes on: its log is cut to what was in it then.
  /// @throws InputError if it cannot be written.
  RunFolder(std::filesystem::path path, std::uintmax_t log_bytes);

  /// That of a worker that leaves nothing behind: what is written to it is dropped.
  static RunFolder nowhere() { return {}; }
  bool is_nowhere() const noexcept { return path_.empty(); }

  std::filesystem::path file(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const noexcept { return path_; }

  /// Appends one line to log.jsonl.
  void log(const nlohmann::ordered_json& entry);
  std::uintmax_t log_bytes() const noexcept { return log_bytes_; }
  void write_result(const nlohmann::ordered_json& result) const;

 private:
  RunFolder() = default;

  void open_log(std::ios::openmode mode);

  std::filesystem::path path_;
  std::ofstream log_;
  std::uintmax_t log_bytes_ = 0;  // whole lines in it
};

/// @throws InputError naming the first option that differs, where the run in `path` was started
/// with
///     other options than `config`. Those that change no result (`force`, `json`, `checkpoint`,
///     `timeout`) may.
void require_same_options(const std::filesystem::path& path, const std::string& config);

}  // namespace lastbit
