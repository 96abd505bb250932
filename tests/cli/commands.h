#pragma once

#include <string>
#include <vector>

namespace lastbit {

/// Commands that this build has, with options that its help must name.
struct CommandCase {
  std::string name;
  std::vector<std::string> options;
};

inline std::vector<CommandCase> built_commands() {
  std::vector<CommandCase> result = {
      {"eval",
       {"model", "--data", "--data-dir", "--strict", "--part", "--batch", "--threads", "--json"}},
      {"run",
       {"model",
        "--data",
        "--data-dir",
        "--part",
        "--out",
        "--inputs-out",
        "--batch",
        "--prompt",
        "--tokens",
        "--temperature",
        "--top-k",
        "--seed"}},
      {"inspect", {"model", "--json"}},
      {"bench", {"model", "--batch", "--threads", "--seconds", "--compare", "--json"}},
      {"zoo",
       {"name",
        "--out",
        "--hidden",
        "--activation",
        "--center",
        "--input",
        "--seed",
        "--codebook",
        "--size",
        "--words",
        "--units",
        "--layers",
        "--dropout",
        "--tied",
        "--data"}},
      {"data", {"action", "--data-dir", "--url", "--retries"}},
      {"version", {"--help"}},
  };
  if (LASTBIT_WITH_TRAINING) {
    result.push_back(
        {"train",
         {"model",    "--data",        "--run",      "--out",       "--force",    "--json",
          "--epochs", "--batch",       "--lr",       "--optimizer", "--momentum", "--weight-decay",
          "--seed",   "--threads",     "--device",   "--augment",   "--hidden",   "--config",
          "--center", "--save-config", "--normalize"}});
    result.push_back(
        {"compress", {"model",           "--data",    "--codebook",      "--method",
                      "--run",           "--out",     "--inline-decode", "--force",
                      "--project-every", "--rho",     "--extragradient", "--prediction",
                      "--finish-epochs", "--config",  "--save-config",   "--share",
                      "--schedule",      "--distill", "--temperature",   "--feasible",
                      "--probe",         "--epochs"}});
    result.push_back({"compare",
                      {"model",
                       "--data",
                       "--methods",
                       "--codebooks",
                       "--seeds",
                       "--jobs",
                       "--run",
                       "--csv",
                       "--json"}});
    result.push_back({"reproduce",
                      {"name",
                       "--data",
                       "--nets",
                       "--only",
                       "--reference",
                       "--seeds",
                       "--jobs",
                       "--device",
                       "--quick",
                       "--epochs",
                       "--finished",
                       "--json"}});
    result.push_back({"methods", {"name"}});
    result.push_back({"verify", {"model", "--data", "--part", "--trained", "--threads", "--json"}});
  }
  return result;
}

/// For the name of a test with a parameter.
inline std::string test_name(const ::testing::TestParamInfo<CommandCase>& info) {
  return info.param.name;
}

inline void PrintTo(const CommandCase& command, std::ostream* out) { *out << command.name; }

}  // namespace lastbit
