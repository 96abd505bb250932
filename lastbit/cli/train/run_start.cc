#include "lastbit/cli/train/run_start.h"

#include <iostream>
#include <span>

#include <fmt/format.h>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"

namespace lastbit {

std::optional<JobResult> finished_run(const std::filesystem::path& folder,
                                      const std::string& config,
                                      const CheckpointChoice& choice,
                                      bool as_json) {
  const std::filesystem::path path = folder / "result.json";
  if (!choice.resume || !std::filesystem::exists(path)) return std::nullopt;
  require_same_options(folder, config);
  const MappedFile file(path);
  const auto* text = reinterpret_cast<const char*>(file.bytes().data());
  auto result = nlohmann::ordered_json::parse(text, text + file.bytes().size(), nullptr, false);
  if (result.is_discarded()) {
    throw FormatError(
        cat("[run] ", path.string(), " is not JSON, expected what a run has written"));
  }
  return JobResult{
      .json = std::move(result),
      .text = cat(folder.string(), " is finished; ", path.string(), " holds its result"),
      .as_json = as_json};
}

namespace {

RunFolder open_here(const std::filesystem::path& folder,
                    const std::string& config,
                    bool force,
                    const CheckpointChoice& choice,
                    std::optional<Checkpoint>& from) {
  const bool is_there = std::filesystem::exists(folder / "config.toml");
  if (choice.resume && is_there) {
    require_same_options(folder, config);
    from = read_checkpoint(folder);
    if (from) {
      std::cerr << fmt::format("going on with {}: phase {}\n", folder.string(), from->phase);
      return {folder, from->log_bytes};
    }
    force = true;  // stopped before there was anything to go on from
  }
  RunFolder result(folder, config, force);
  // What an earlier run has left would be taken for this one's.
  for (const char* name : {"checkpoint.safetensors", "result.json"}) {
    std::filesystem::remove(result.file(name));
  }
  return result;
}

}  // namespace

RunFolder open_run(const std::filesystem::path& folder,
                   const std::string& config,
                   bool force,
                   const CheckpointChoice& choice,
                   std::optional<Checkpoint>& from,
                   Communicator* workers) {
  if (workers == nullptr) return open_here(folder, config, force, choice, from);
  if (workers->rank() == 0) {
    RunFolder result = open_here(folder, config, force, choice, from);
    broadcast(*workers, from ? checkpoint_bytes(folder) : std::string());
    return result;
  }
  const std::string bytes = broadcast(*workers, std::string());
  if (!bytes.empty()) {
    from = parse_checkpoint(std::as_bytes(std::span(bytes)), "worker 0's checkpoint");
  }
  return RunFolder::nowhere();
}

}  // namespace lastbit
