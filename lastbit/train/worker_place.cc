#include "lastbit/train/worker_place.h"

#include <charconv>
#include <string_view>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr std::int64_t kPort = 29500;  // torchrun's own default

class Environment {
 public:
  explicit Environment(const std::function<const char*(const char*)>& variable)
      : variable_(variable) {}

  std::string text(const char* name) const {
    const char* const value = variable_(name);
    return value == nullptr ? "" : value;
  }
  bool has(const char* name) const { return !text(name).empty(); }

  std::int64_t number(const char* name, std::int64_t least, std::int64_t most) const {
    const std::string value = text(name);
    std::int64_t result = 0;
    const char* const end = value.data() + value.size();
    const auto [rest, error] = std::from_chars(value.data(), end, result);
    if (value.empty() || error != std::errc{} || rest != end || result < least || result > most) {
      throw InputError(cat("[workers] the environment has ",
                           name,
                           "='",
                           value,
                           "', expected a number from ",
                           least,
                           " to ",
                           most));
    }
    return result;
  }
  std::int64_t number_or(const char* name,
                         std::int64_t otherwise,
                         std::int64_t least,
                         std::int64_t most) const {
    return has(name) ? number(name, least, most) : otherwise;
  }

  // `name` comes with `with`, or the process does not know its place.
  void require(const char* name, const char* with) const {
    if (has(name)) return;
    throw InputError(cat("[workers] the environment has ", with, " without ", name));
  }

 private:
  const std::function<const char*(const char*)>& variable_;
};

struct Names {
  const char* rank;
  const char* size;
  const char* local_rank;
  const char* local_size;
};
constexpr Names kTorchrun = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"};
constexpr Names kOpenMpi = {"OMPI_COMM_WORLD_RANK",
                            "OMPI_COMM_WORLD_SIZE",
                            "OMPI_COMM_WORLD_LOCAL_RANK",
                            "OMPI_COMM_WORLD_LOCAL_SIZE"};
// srun says how many tasks a machine has as a list for all machines, "4(x2),3", which is not read:
// it binds each task to processors of its own.
constexpr Names kSlurm = {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", nullptr};

WorkerPlace place_by(const Environment& environment, const Names& names) {
  constexpr std::int64_t kMost = 1 << 16;
  environment.require(names.rank, names.size);
  environment.require(names.size, names.rank);
  WorkerPlace place;
  place.size = static_cast<int>(environment.number(names.size, 1, kMost));
  place.rank = static_cast<int>(environment.number(names.rank, 0, place.size - 1));
  place.local_rank =
      static_cast<int>(environment.number_or(names.local_rank, 0, 0, place.size - 1));
  if (names.local_size != nullptr) {
    place.local_size = static_cast<int>(
        environment.number_or(names.local_size, 1, place.local_rank + 1, place.size));
  }
  place.address = environment.text("MASTER_ADDR");
  place.port = static_cast<std::uint16_t>(environment.number_or("MASTER_PORT", kPort, 1, 65535));
  return place;
}

// "node[03-07,12]" and "node03,node04" begin with node03.
std::string first_of(const std::string& hosts) {
  const std::size_t bracket = hosts.find_first_of("[,");
  if (bracket == std::string::npos || hosts[bracket] == ',') return hosts.substr(0, bracket);
  const std::size_t end = hosts.find_first_of("-,]", bracket);
  if (end == std::string::npos) return "";
  return cat(hosts.substr(0, bracket), hosts.substr(bracket + 1, end - bracket - 1));
}

WorkerPlace by_torchrun(const Environment& environment) {
  WorkerPlace place = place_by(environment, kTorchrun);
  if (place.size == 1) return place;
  environment.require("MASTER_ADDR", "RANK");
  environment.require("MASTER_PORT", "RANK");
  place.listener = static_cast<int>(environment.number_or("LASTBIT_LISTENER", -1, 0, 1 << 20));
  // torchrun itself listens on the port that it names; the next one is ours.
  if (environment.text("TORCHELASTIC_USE_AGENT_STORE") == "True") ++place.port;
  return place;
}

WorkerPlace by_open_mpi(const Environment& environment) {
  WorkerPlace place = place_by(environment, kOpenMpi);
  if (!place.address.empty() || place.size == 1) return place;
  if (place.local_size != place.size) {
    throw InputError(
        "[workers] mpirun has started workers on several machines, expected MASTER_ADDR with the "
        "name of the first (mpirun -x MASTER_ADDR=...)");
  }
  place.address = "127.0.0.1";
  return place;
}

WorkerPlace by_slurm(const Environment& environment) {
  WorkerPlace place = place_by(environment, kSlurm);
  if (place.address.empty()) place.address = first_of(environment.text("SLURM_STEP_NODELIST"));
  if (place.address.empty()) place.address = environment.text("SLURM_LAUNCH_NODE_IPADDR");
  if (place.address.empty() && place.size > 1) {
    throw InputError(
        "[workers] the environment has SLURM_PROCID without SLURM_STEP_NODELIST, "
        "SLURM_LAUNCH_NODE_IPADDR or MASTER_ADDR");
  }
  if (!environment.has("MASTER_PORT") && environment.has("SLURM_JOB_ID")) {
    // Two jobs may share a machine.
    const std::int64_t job = environment.number("SLURM_JOB_ID", 0, INT64_MAX);
    place.port = static_cast<std::uint16_t>(20000 + job % 10000);
  }
  return place;
}

}  // namespace

std::optional<WorkerPlace> worker_place(const std::function<const char*(const char*)>& variable) {
  const Environment environment(variable);
  const auto started_by = [&](const Names& names) {
    return environment.has(names.rank) || environment.has(names.size);
  };
  std::optional<WorkerPlace> place;
  // srun and mpirun may have started torchrun, and srun mpirun: the innermost is right. In a batch
  // script of Slurm that does not call srun there is one process and no step.
  if (started_by(kTorchrun)) {
    place = by_torchrun(environment);
  } else if (started_by(kOpenMpi)) {
    place = by_open_mpi(environment);
  } else if (environment.has(kSlurm.rank) && environment.has("SLURM_STEP_ID")) {
    place = by_slurm(environment);
  }
  if (place && place->size == 1) return std::nullopt;
  return place;
}

}  // namespace lastbit
