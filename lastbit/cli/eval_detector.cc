#include "lastbit/cli/eval_detector.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/json_text.h"
#include "lastbit/cli/progress.h"
#include "lastbit/cli/table.h"

namespace lastbit {
namespace {

constexpr DetectionLimits kLimits;  // SSD's

std::string share_text(double precision) {
  return std::isnan(precision) ? "-" : fmt::format("{:.2f}", 100.0 * precision);
}

nlohmann::ordered_json share_json(double precision) {
  return std::isnan(precision) ? nlohmann::ordered_json()
                               : nlohmann::ordered_json(100.0 * precision);
}

void print_text(const DetectorEvaluation& evaluation,
                const DetectorScore& score,
                std::span<const std::string> names) {
  const bool area = evaluation.rule == PrecisionRule::kArea;
  std::cout << fmt::format("{}: mAP {}% ({}) on {} images\n",
                           evaluation.model,
                           share_text(score.precision.mean),
                           area ? "area" : "11 points",
                           score.images);
  Table table({"class", "AP %", "objects", "found", "false alarms"});
  for (std::size_t c = 0; c < names.size(); ++c) {
    const ClassPrecision& one = score.precision.classes[c];
    table.add({names[c],
               share_text(one.average_precision),
               cat(one.truths),
               cat(one.found),
               cat(one.false_alarms)});
  }
  std::cout << table.text();
  if (score.difficult > 0) {
    std::cout << score.difficult
              << (score.difficult == 1 ? " difficult object is" : " difficult objects are")
              << " not counted\n";
  }
}

void print_json(const DetectorEvaluation& evaluation,
                const DetectorScore& score,
                std::span<const std::string> names) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (std::size_t c = 0; c < names.size(); ++c) {
    const ClassPrecision& one = score.precision.classes[c];
    rows.push_back({{"class", names[c]},
                    {"ap", share_json(one.average_precision)},
                    {"objects", one.truths},
                    {"found", one.found},
                    {"false_alarms", one.false_alarms}});
  }
  const nlohmann::ordered_json out = {
      {"model", evaluation.model},
      {"data", evaluation.data.name},
      {"part", evaluation.data.part},
      {"rule", evaluation.rule == PrecisionRule::kArea ? "area" : "11"},
      {"map", share_json(score.precision.mean)},
      {"images", score.images},
      {"difficult", score.difficult},
      {"classes", rows},
      {"bytes", std::filesystem::file_size(evaluation.model)}};
  std::cout << json_line(out);
}

}  // namespace

std::vector<std::int32_t> match_classes(std::span<const std::string> model,
                                        std::span<const std::string> data) {
  std::vector<std::int32_t> labels;
  for (const std::string& name : data) {
    const auto found = std::ranges::find(model, name);
    if (found == model.end()) {
      throw InputError(cat("[eval] the data have objects of class '",
                           name,
                           "', expected the model's classes: ",
                           join(model)));
    }
    labels.push_back(static_cast<std::int32_t>(found - model.begin()));
  }
  return labels;
}

std::vector<Truth> truths_of(std::span<const LabelledBox> objects,
                             std::span<const std::int32_t> labels) {
  std::vector<Truth> truths;
  for (const LabelledBox& object : objects) {
    truths.push_back({.box = object.box,
                      .label = labels[static_cast<std::size_t>(object.label)],
                      .difficult = object.difficult});
  }
  return truths;
}

DetectorScore score_detector(Detector& detector,
                             const DetectionSource& data,
                             std::span<const std::int32_t> labels,
                             PrecisionRule rule,
                             const std::function<void(std::int64_t)>& progress) {
  DetectorScore result;
  std::vector<EvaluatedImage> images;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const DetectionSample sample = data.read(i);
    if (progress) progress(i + 1);
    if (sample.index != i) continue;  // the image is damaged, and this is another
    images.push_back(
        {.truths = truths_of(sample.objects, labels),
         .detections = detector.detect(sample.image, kLimits.min_score, kLimits.most)});
    result.difficult += std::ranges::count(sample.objects, true, &LabelledBox::difficult);
  }
  result.images = static_cast<std::int64_t>(images.size());
  result.precision = mean_average_precision(
      images, static_cast<std::int32_t>(detector.class_names().size()), {.rule = rule});
  return result;
}

void evaluate_detector(const Graph& graph, const DetectorEvaluation& evaluation) {
  Detector detector(graph, evaluation.session, evaluation.model);
  const DetectionSet set = open_detection(evaluation.data.name, options_of(evaluation.data));
  if (class_names_of(graph).empty()) {
    throw InputError(cat("[model] ",
                         evaluation.model,
                         " has no metadata '",
                         kClassesKey,
                         "', expected the names of its classes"));
  }
  const auto labels = match_classes(detector.class_names(), set.class_names);
  const DetectionSource& source = evaluation.data.part == "train" ? *set.train : *set.test;
  DetectorScore score;
  {
    ProgressBar bar(source.size(), "images");
    score = score_detector(detector, source, labels, evaluation.rule, [&](std::int64_t done) {
      bar.update(done, "");
    });
  }
  report_sentences("skipped", "damaged image", source.skipped());
  report_sentences("corrected", "box", source.corrected());
  const auto print = evaluation.json ? print_json : print_text;
  print(evaluation, score, detector.class_names());
}

}  // namespace lastbit
