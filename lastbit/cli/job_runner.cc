#include "lastbit/cli/job_runner.h"

#include <cctype>
#include <chrono>
#include <cmath>
#include <iostream>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/progress.h"

namespace lastbit {
namespace {

std::optional<nlohmann::json> read_json(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const MappedFile file(path);
  const auto* text = reinterpret_cast<const char*>(file.bytes().data());
  nlohmann::json value = nlohmann::json::parse(text, text + file.bytes().size(), nullptr, false);
  if (value.is_discarded()) {
    throw FormatError(
        cat("[run] ", path.string(), " is not JSON, expected what a run has written"));
  }
  return value;
}

}  // namespace

JobRunner::JobRunner(std::filesystem::path folder, std::int64_t jobs, bool force)
    : folder_(std::move(folder)), jobs_(jobs), force_(force) {}

std::optional<nlohmann::json> JobRunner::finished(const Job& job) const {
  const std::filesystem::path folder = folder_ / job.folder;
  const auto arguments = read_json(folder / "job.json");
  auto result = read_json(folder / "result.json");
  if (!arguments || !result) return std::nullopt;
  if (*arguments == nlohmann::json(job.arguments)) return result;
  if (force_) return std::nullopt;
  throw InputError(cat("[run] ",
                       folder.string(),
                       " holds a run with other options, expected the same, another --run folder, "
                       "or --force to run again"));
}

nlohmann::json JobRunner::run(const Job& job) {
  ++done_;
  if (auto result = finished(job)) {
    std::cerr << fmt::format("[{}/{}] {}: done before\n", done_, jobs_, job.title);
    return *result;
  }
  std::cerr << fmt::format("[{}/{}] {}", done_, jobs_, job.title);
  if (ran_ > 0) {
    const double left =
        seconds_ / static_cast<double>(ran_) * static_cast<double>(jobs_ - done_ + 1);
    std::cerr << fmt::format("  (about {} left)", duration_text(left));
  }
  std::cerr << "\n";
  const auto start = std::chrono::steady_clock::now();
  const std::filesystem::path folder = folder_ / job.folder;
  std::vector<std::string> arguments = job.arguments;
  // Without job.json what lies there is half a run.
  arguments.insert(arguments.end(), {"--run", folder.string(), "--force"});
  const auto result = job.trains_reference ? run_train(arguments) : run_compress(arguments);
  if (!result) throw InputError(cat("[run] ", job.title, ": --help is not for one of many runs"));
  write_file(folder / "job.json", json_line(job.arguments));
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ++ran_;
  return result->json;
}

std::string file_name(std::string text) {
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '-') c = '_';
  }
  return text;
}

Statistics statistics(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  Statistics result;
  if (values.empty()) return result;
  result.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0.0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  if (values.size() > 1) result.deviation = std::sqrt(squares / (count - 1.0));
  return result;
}

std::string statistics_text(const std::vector<double>& values, int digits) {
  const Statistics figures = statistics(values);
  if (values.size() < 2) return fmt::format("{:.{}f}", figures.mean, digits);
  return fmt::format("{:.{}f} ± {:.{}f}", figures.mean, digits, figures.deviation, digits);
}

}  // namespace lastbit
