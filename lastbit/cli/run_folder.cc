#include "lastbit/cli/run_folder.h"

#include <cerrno>
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
  log_.open(file("log.jsonl"), std::ios::trunc);
  if (!log_) {
    throw InputError(cat("[run] cannot write ",
                         file("log.jsonl").string(),
                         ": ",
                         std::generic_category().message(errno)));
  }
}

void RunFolder::log(const nlohmann::ordered_json& entry) {
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
  write_file(file("result.json"), json_line(result));
}

}  // namespace lastbit
