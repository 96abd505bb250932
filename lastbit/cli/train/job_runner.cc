#include "lastbit/cli/train/job_runner.h"

#include <cctype>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/train/child_processes.h"

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

constexpr int kWrongInput = 2;  // the exit code

// A program's last words are what went wrong.
std::string last_line(const std::filesystem::path& path) {
  constexpr std::string_view kBy = "lastbit: ";
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);) last = line;
  return last.starts_with(kBy) ? last.substr(kBy.size()) : last;
}

}  // namespace

JobRunner::JobRunner(Options options, std::int64_t total)
    : options_(std::move(options)), total_(total) {}

std::optional<nlohmann::json> JobRunner::finished(const Job& job) const {
  const std::filesystem::path folder = file(job.folder);
  const auto arguments = read_json(folder / "job.json");
  auto result = read_json(folder / "result.json");
  if (!arguments || !result) return std::nullopt;
  if (*arguments == nlohmann::json(job.arguments)) return result;
  if (options_.force) return std::nullopt;
  throw InputError(cat("[run] ",
                       folder.string(),
                       " holds a run with other options, expected the same, another --run folder, "
                       "or --force to run again"));
}

// Without job.json what lies in a folder is half a run. It goes on where it was started with the
// same arguments, and is written over where not.
std::vector<std::string> JobRunner::words(const Job& job) const {
  const std::filesystem::path started = file(job.folder) / "started.json";
  const nlohmann::json arguments(job.arguments);
  const bool goes_on = !options_.force && read_json(started) == arguments;
  if (!goes_on) write_file(started, json_line(arguments));
  std::vector<std::string> result = job.arguments;
  result.insert(result.end(),
                {"--run", file(job.folder).string(), goes_on ? "--resume" : "--force"});
  return result;
}

void JobRunner::announce(const Job& job) {
  ++done_;
  std::cerr << fmt::format("[{}/{}] {}", done_, total_, job.title);
  if (ran_ >= options_.at_once) {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start_;
    std::cerr << fmt::format("  (about {} left)",
                             duration_text(taken.count() / static_cast<double>(ran_) *
                                           static_cast<double>(total_ - done_ + 1)));
  }
  std::cerr << std::endl;
}

void JobRunner::mark_finished(const Job& job) const {
  write_file(file(job.folder) / "job.json", json_line(job.arguments));
}

void JobRunner::run_here(const Job& job) {
  announce(job);
  const auto result = job.trains_reference ? run_train(words(job)) : run_compress(words(job));
  if (!result) throw InputError(cat("[run] ", job.title, ": --help is not for one of many runs"));
  mark_finished(job);
  ++ran_;
}

void JobRunner::run_in_processes(const std::vector<Job>& jobs) {
  ChildProcesses children;
  std::map<int, const Job*> running;
  std::size_t next = 0;
  while (next < jobs.size() || !running.empty()) {
    if (next < jobs.size() && static_cast<std::int64_t>(running.size()) < options_.at_once) {
      const Job& job = jobs[next++];
      announce(job);
      std::filesystem::remove(file(job.folder) / "job.json");
      std::vector<std::string> command = {job.trains_reference ? "train" : "compress"};
      for (const std::string& word : words(job)) command.push_back(word);
      running.emplace(children.start(command, file(job.folder) / "output.txt"), &job);
      continue;
    }
    const auto [child, code] = children.wait();
    const Job& job = *running.extract(child).mapped();
    const std::filesystem::path output = file(job.folder) / "output.txt";
    if (code == kWrongInput) throw InputError(cat("[run] ", job.title, ": ", last_line(output)));
    if (code != 0) {
      throw WorkError(cat("[run] ",
                          job.title,
                          " ended with exit code ",
                          code,
                          "; what it said is in ",
                          output.string()));
    }
    mark_finished(job);
    ++ran_;
  }
}

std::vector<nlohmann::json> JobRunner::run(const std::vector<Job>& jobs) {
  std::vector<Job> open;
  for (const Job& job : jobs) {
    if (finished(job)) {
      ++done_;
    } else {
      open.push_back(job);
    }
  }
  if (open.size() < jobs.size()) {
    std::cerr << fmt::format("{} of {} were done before\n", jobs.size() - open.size(), jobs.size());
  }
  if (options_.at_once > 1) {
    run_in_processes(open);
  } else {
    for (const Job& job : open) run_here(job);
  }
  std::vector<nlohmann::json> results;
  for (const Job& job : jobs) results.push_back(finished(job).value());
  return results;
}

std::string file_name(std::string text, char other) {
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '-' && c != '_')
      c = other;
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
