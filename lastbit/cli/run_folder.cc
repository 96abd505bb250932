#include "lastbit/cli/run_folder.h"

#include <cerrno>
#include <map>
#include <sstream>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/json_text.h"

namespace lastbit {

RunFolder::RunFolder(std::filesystem::path path, const std::string& config, bool force)
    : path_(std::move(path)) {
  std::error_code error;
  if (std::filesystem::exists(file("config.toml"), error) && !force) {
    throw InputError(
        cat("[run] ",
            path_.string(),
            " already holds a run, expected a new folder (or --force to write over it)"));
  }
  write_file(file("config.toml"), config);
  open_log(std::ios::trunc);
}

RunFolder::RunFolder(std::filesystem::path path, std::uintmax_t log_bytes)
    : path_(std::move(path)), log_bytes_(log_bytes) {
  std::error_code error;
  if (std::filesystem::file_size(file("log.jsonl"), error) < log_bytes || error) {
    throw InputError(cat("[run] ",
                         file("log.jsonl").string(),
                         " is shorter than its run's checkpoint says, expected ",
                         log_bytes,
                         " bytes at least"));
  }
  std::filesystem::resize_file(file("log.jsonl"), log_bytes, error);
  open_log(std::ios::app);
}

void RunFolder::open_log(std::ios::openmode mode) {
  errno = 0;
  log_.open(file("log.jsonl"), mode);
  if (!log_) {
    throw InputError(cat("[run] cannot write ",
                         file("log.jsonl").string(),
                         ": ",
                         std::generic_category().message(errno)));
  }
}

void RunFolder::log(const nlohmann::ordered_json& entry) {
  if (is_nowhere()) return;
  const std::string line = json_line(entry);
  errno = 0;
  log_ << line << std::flush;
  if (!log_) {
    const std::string reason = std::generic_category().message(errno);
    // What did arrive of the line goes again, so that every line of the log can be read.
    std::error_code ignored;
    std::filesystem::resize_file(file("log.jsonl"), log_bytes_, ignored);
    throw InputError(cat("[run] cannot write ", file("log.jsonl").string(), ": ", reason));
  }
  log_bytes_ += line.size();
}

void RunFolder::write_result(const nlohmann::ordered_json& result) const {
  if (!is_nowhere()) write_file(file("result.json"), json_line(result));
}

namespace {

// "key" -> the whole line, without what may differ.
std::map<std::string, std::string> options_in(std::istream& text) {
  std::map<std::string, std::string> result;
  for (std::string line; std::getline(text, line);) {
    const auto equals = line.find('=');
    if (equals == std::string::npos || line.starts_with('#')) continue;
    const std::string key = line.substr(0, equals);
    const bool free = key == "force" || key == "json" || key == "checkpoint" || key == "timeout";
    if (!free) result[key] = line;
  }
  return result;
}

}  // namespace

void require_same_options(const std::filesystem::path& path, const std::string& config) {
  std::ifstream saved(path / "config.toml");
  std::istringstream given(config);
  const auto before = options_in(saved);
  const auto now = options_in(given);
  if (before == now) return;
  const auto text_in = [](const auto& options, const std::string& key) {
    const auto found = options.find(key);
    return found == options.end() ? cat(key, " not given") : found->second;
  };
  std::map<std::string, std::string> all = before;
  all.insert(now.begin(), now.end());
  for (const auto& [key, line] : all) {
    const std::string was = text_in(before, key);
    const std::string is = text_in(now, key);
    if (was == is) continue;
    throw InputError(cat("[run] ",
                         path.string(),
                         " holds a run with ",
                         was,
                         ", to go on with ",
                         is,
                         " is another run: expected the same options"));
  }
}

}  // namespace lastbit
