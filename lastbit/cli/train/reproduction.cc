#include "lastbit/cli/train/reproduction.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/train/experiment_data.h"
#include "lastbit/cli/train/job_runner.h"

namespace lastbit {
namespace {

using Words = std::vector<std::string>;

// A row of the report and the runs that it is made of, one for each seed or a single one.
struct RowOfRuns {
  std::string setting;
  std::optional<double> published = {};
  std::optional<double> bits = {};
  std::vector<Job> jobs = {};
  bool shows_start = false;  // the figures are those that the runs started from
};

// All runs of an experiment. References and first weights come before what starts from them.
struct Plan {
  std::vector<Job> starts;
  std::vector<Job> rest;
  std::vector<RowOfRuns> rows;
};

void require_known(const std::string& option,
                   const std::string& experiment,
                   const std::string& name,
                   const Words& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  throw InputError(cat("[",
                       option,
                       "] ",
                       experiment,
                       " has no network '",
                       name,
                       "', expected one of: ",
                       join(known)));
}

std::vector<const Subject*> chosen_subjects(const Experiment& experiment,
                                            const ReproduceChoice& choice) {
  Words known;
  for (const Subject& subject : experiment.subjects) known.push_back(subject.network);
  for (const std::string& name : choice.networks) {
    require_known("nets", experiment.name, name, known);
  }
  std::vector<const Subject*> result;
  for (const Subject& subject : experiment.subjects) {
    const auto& wanted = choice.networks;
    if (wanted.empty() ||
        std::find(wanted.begin(), wanted.end(), subject.network) != wanted.end()) {
      result.push_back(&subject);
    }
  }
  return result;
}

// The files given, by network.
std::map<std::string, std::string> given_references(const Experiment& experiment,
                                                    const ReproduceChoice& choice,
                                                    const std::vector<const Subject*>& subjects) {
  Words known;
  for (const Subject* subject : subjects) known.push_back(subject->network);
  std::map<std::string, std::string> result;
  for (const std::string& text : choice.references) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals + 1 == text.size()) {
      throw InputError(cat("[reference] '", text, "' names no file, expected NETWORK=FILE.onnx"));
    }
    const std::string network = text.substr(0, equals);
    const std::string file = text.substr(equals + 1);
    require_known("reference", experiment.name, network, known);
    if (!std::filesystem::is_regular_file(file)) {
      throw InputError(cat("[reference] there is no file ", file, ", expected that of ", network));
    }
    if (!result.emplace(network, file).second) {
      throw InputError(cat("[reference] '", network, "' is given twice"));
    }
  }
  return result;
}

bool is_chosen(const ReproduceChoice& choice, std::string_view setting) {
  return choice.only.empty() ||
         std::any_of(choice.only.begin(), choice.only.end(), [&](const std::string& pattern) {
           return matches(pattern, setting);
         });
}

void require_matches(const Experiment& experiment,
                     const ReproduceChoice& choice,
                     const std::vector<const Subject*>& subjects) {
  Words names = {std::string(kReferenceName)};
  for (const Subject* subject : subjects) {
    for (const Setting& setting : subject->settings) {
      if (std::find(names.begin(), names.end(), setting.name) == names.end()) {
        names.push_back(setting.name);
      }
    }
  }
  for (const std::string& pattern : choice.only) {
    if (std::any_of(names.begin(), names.end(), [&](const std::string& name) {
          return matches(pattern, name);
        })) {
      continue;
    }
    throw InputError(cat("[only] no setting of ",
                         experiment.name,
                         " matches '",
                         pattern,
                         "', expected some of: ",
                         join(names, "; ")));
  }
}

Words with_epochs(Words words, std::int64_t epochs) {
  for (std::string& word : words) {
    if (word.starts_with("--epochs=")) word = cat("--epochs=", epochs);
  }
  return words;
}

// Makes the jobs and rows of one network.
class Planner {
 public:
  Planner(const Experiment& experiment,
          const ReproduceChoice& choice,
          const std::string& data,
          Plan& plan)
      : experiment_(experiment), choice_(choice), plan_(plan) {
    shared_ = {cat("--data=", data), cat("--threads=", choice.threads)};
    if (!choice.data_folder.empty()) shared_.push_back(cat("--data-dir=", choice.data_folder));
    if (choice.device != "cpu") shared_.push_back(cat("--device=", choice.device));
    if (choice.precision != "float32") shared_.push_back(cat("--precision=", choice.precision));
  }

  void add(const Subject& subject, const std::string& given) {
    subject_ = &subject;
    given_ = given;
    bool needs_reference = is_chosen(choice_, kReferenceName);
    bool needs_random = false;
    for (const Setting& setting : subject.settings) {
      if (!is_chosen(choice_, setting.name)) continue;
      (setting.start == Start::kReference ? needs_reference : needs_random) = true;
    }
    RowOfRuns reference{.setting = title(std::string(kReferenceName)),
                        .published = subject.reference};
    if (needs_reference && given.empty()) {
      reference.jobs = starts("reference", "reference", subject_train());
    }
    const std::size_t place = plan_.rows.size();
    plan_.rows.push_back(reference);
    if (needs_random) starts("first weights", "first", with_epochs(subject_train(), 0));
    for (const Setting& setting : subject.settings) {
      if (is_chosen(choice_, setting.name)) add(setting);
    }
    if (!given.empty()) show_given(place);
  }

 private:
  std::string title(const std::string& text) const {
    return experiment_.subjects.size() == 1 ? text : cat(subject_->network, ", ", text);
  }

  std::string folder(const std::string& text, std::int64_t seed) const {
    const bool alone = experiment_.subjects.size() == 1;
    return file_name(cat(alone ? "" : cat(subject_->network, "-"), text, "-", seed));
  }

  Words subject_train() const {
    if (!choice_.quick) return subject_->train;
    if (choice_.epochs == 0) return subject_->quick_train;
    return with_epochs(subject_->quick_train, choice_.epochs);
  }

  std::vector<Job> starts(const std::string& text, const std::string& name, const Words& options) {
    std::vector<Job> result;
    for (std::int64_t seed = 0; seed < choice_.seeds; ++seed) {
      const Words words =
          with(with(with({subject_->network}, options), shared_), {cat("--seed=", seed)});
      result.push_back({title(cat(text, ", seed ", seed)), folder(name, seed), true, words});
    }
    plan_.starts.insert(plan_.starts.end(), result.begin(), result.end());
    return result;
  }

  void add(const Setting& setting) {
    RowOfRuns row{
        .setting = title(setting.name), .published = setting.published, .bits = setting.bits};
    for (std::int64_t seed = 0; seed < choice_.seeds; ++seed) {
      row.jobs.push_back({title(cat(setting.name, ", seed ", seed)),
                          folder(setting.name, seed),
                          false,
                          compress_words(setting, seed)});
    }
    plan_.rest.insert(plan_.rest.end(), row.jobs.begin(), row.jobs.end());
    plan_.rows.push_back(row);
  }

  Words compress_words(const Setting& setting, std::int64_t seed) const {
    Words options = with(subject_->compress, setting.compress);
    if (choice_.quick) options = with(subject_->quick_compress, setting.quick());
    if (choice_.epochs != 0) options = with_epochs(options, choice_.epochs);
    return with(with(with({start_of(setting, seed)}, shared_), {cat("--seed=", seed)}), options);
  }

  std::string start_of(const Setting& setting, std::int64_t seed) const {
    const bool random = setting.start == Start::kRandom;
    if (!random && !given_.empty()) return given_;
    const std::filesystem::path run = choice_.run;
    return (run / folder(random ? "first" : "reference", seed) / "reference.onnx").string();
  }

  // A file that was given is measured by the runs that start from it.
  void show_given(std::size_t place) {
    const auto first = plan_.rows.begin() + static_cast<std::ptrdiff_t>(place);
    for (auto row = first + 1; row != plan_.rows.end(); ++row) {
      if (row->jobs.empty() || row->jobs.front().arguments.front() != given_) continue;
      first->jobs = {row->jobs.front()};
      first->shows_start = true;
      return;
    }
  }

  const Experiment& experiment_;
  const ReproduceChoice& choice_;
  Plan& plan_;
  Words shared_;
  const Subject* subject_ = nullptr;
  std::string given_;
};

Figures figures_of(const RowOfRuns& row, const JobRunner& runner) {
  Figures result;
  for (const Job& job : row.jobs) {
    const auto finished = runner.finished(job);
    if (!finished) continue;
    if (row.shows_start) {
      result.add_test(finished->at("reference"));
    } else {
      result.add(*finished);
    }
  }
  return result;
}

}  // namespace

ReproduceReport reproduce(const Experiment& experiment, const ReproduceChoice& choice) {
  const std::vector<const Subject*> subjects = chosen_subjects(experiment, choice);
  const auto given = given_references(experiment, choice, subjects);
  require_matches(experiment, choice, subjects);
  const ExperimentData data =
      experiment_data(experiment, choice.data, choice.data_folder, choice.quick);
  Plan plan;
  Planner planner(experiment, choice, data.name, plan);
  for (const Subject* subject : subjects) {
    const auto file = given.find(subject->network);
    planner.add(*subject, file == given.end() ? "" : file->second);
  }
  JobRunner runner({choice.run, choice.at_once, choice.force},
                   static_cast<std::int64_t>(plan.starts.size() + plan.rest.size()));
  if (!choice.finished) {
    runner.run(plan.starts);
    runner.run(plan.rest);
  }
  ReproduceReport report(experiment.name, data.published);
  for (const RowOfRuns& row : plan.rows) {
    report.add(row.setting, figures_of(row, runner), row.published, row.bits);
  }
  return report;
}

}  // namespace lastbit
