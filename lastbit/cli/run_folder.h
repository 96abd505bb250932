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

  std::filesystem::path file(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const noexcept { return path_; }

  /// Appends one line to log.jsonl.
  void log(const nlohmann::ordered_json& entry);
  void write_result(const nlohmann::ordered_json& result) const;

 private:
  std::filesystem::path path_;
  std::ofstream log_;
  std::uintmax_t log_bytes_ = 0;  // whole lines in it
};

}  // namespace lastbit
