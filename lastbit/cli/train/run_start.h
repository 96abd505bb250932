#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "lastbit/cli/run_folder.h"
#include "lastbit/cli/train/checkpoint.h"
#include "lastbit/cli/train/jobs.h"
#include "lastbit/train/communicator.h"

namespace lastbit {

/// The result of the run in `folder`, where `--resume` finds it finished; nothing where there is
/// work to do.
/// @throws InputError if it was made with other options.
std::optional<JobResult> finished_run(const std::filesystem::path& folder,
                                      const std::string& config,
                                      const CheckpointChoice& choice,
                                      bool as_json);

/// Makes the folder of a new run, or opens that of one that goes on.
///
/// @param force  write over a run that is there.
/// @param workers  that train together, all calling this, or null. Worker 0 alone sees the folder;
///     the others get its checkpoint from it, and a folder that is nowhere.
/// @param from   becomes where to go on; stays empty for a run from its start.
/// @throws InputError if it holds a run that is not to be resumed or written over, or one with
/// other
///     options; FormatError if its checkpoint is damaged.
RunFolder open_run(const std::filesystem::path& folder,
                   const std::string& config,
                   bool force,
                   const CheckpointChoice& choice,
                   std::optional<Checkpoint>& from,
                   Communicator* workers = nullptr);

}  // namespace lastbit
