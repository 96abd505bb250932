#include "lastbit/cli/detector.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/image_window.h"
#include "lastbit/runtime/suppression.h"

namespace lastbit {
namespace {

constexpr std::array<const char*, 3> kOutputs = {"boxes", "scores", "selected"};
constexpr std::int64_t kChannels = 3;

const Graph& checked(const Graph& graph, const std::string& file) {
  if (is_detector(graph)) return graph;
  std::vector<std::string> names;
  for (const Value& output : graph.outputs) names.push_back(cat("'", output.name, "'"));
  throw InputError(cat("[model] ",
                       file,
                       " is no detector: its outputs are ",
                       join(names),
                       ", expected 'boxes', 'scores' and 'selected'"));
}

std::size_t place_of(std::span<const Port> ports, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::find(ports, name, &Port::name) - ports.begin());
}

}  // namespace

bool is_detector(const Graph& graph) {
  return std::ranges::all_of(kOutputs, [&](const char* name) {
    return std::ranges::find(graph.outputs, name, &Value::name) != graph.outputs.end();
  });
}

std::vector<std::string> class_names_of(const Graph& graph) {
  const auto found = graph.metadata.find(kClassesKey);
  if (found == graph.metadata.end()) return {};
  const auto list = nlohmann::json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> names;
  for (const auto& name : list) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  const bool whole = list.is_array() && names.size() == list.size();
  if (!whole || std::set(names.begin(), names.end()).size() != names.size()) {
    throw FormatError(cat("[model] metadata '",
                          kClassesKey,
                          "' is no list of different names, expected one as [\"cat\",\"dog\"]"));
  }
  return names;
}

std::vector<Detection> to_detections(const DetectorOutputs& outputs,
                                     const ImageSize& image,
                                     float min_score,
                                     std::size_t most) {
  const auto width = static_cast<float>(image.width);
  const auto height = static_cast<float>(image.height);
  const std::size_t priors = outputs.boxes.size() / 4;
  std::vector<Detection> detections;
  for (const auto& [label, index] : outputs.selected) {
    const auto at = static_cast<std::size_t>(index);
    const float score = outputs.scores[static_cast<std::size_t>(label) * priors + at];
    if (!(score > min_score)) continue;
    const Box part = box_of(outputs.boxes.subspan(4 * at).first<4>());
    const Box box =
        clipped({part.left * width, part.top * height, part.right * width, part.bottom * height},
                width,
                height);
    if (has_area(box)) detections.push_back({.box = box, .label = label, .score = score});
  }
  std::ranges::stable_sort(detections, [](const Detection& a, const Detection& b) {
    return a.score > b.score || (a.score == b.score && a.label < b.label);
  });
  detections.resize(std::min(detections.size(), most));
  return detections;
}

Box box_of(std::span<const float, 4> edges) noexcept {
  const auto [top, bottom] = std::minmax(edges[0], edges[2]);
  const auto [left, right] = std::minmax(edges[1], edges[3]);
  return {left, top, right, bottom};
}

void stretch_to_input(const Image& image, const ImageSize& size, std::span<float> out) {
  std::vector<std::uint8_t> pixels(out.size());
  cut_window(image, whole(image.size), size, {}, pixels);
  std::ranges::transform(
      pixels, out.begin(), [](std::uint8_t byte) { return static_cast<float>(byte) / 255.0F; });
}

Detector::Detector(const Graph& graph, const SessionOptions& options, const std::string& file)
    : session_(checked(graph, file), options), class_names_(class_names_of(graph)) {
  check_ports(file);
  for (const Port& port : session_.outputs()) {
    arrays_.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
  }
  input_.resize(static_cast<std::size_t>(element_count(session_.inputs()[0].shape)));
  if (class_names_.empty()) {
    for (std::size_t c = 0; c < classes_; ++c) class_names_.push_back(cat(c));
  }
  if (class_names_.size() != classes_) {
    throw InputError(cat("[model] ",
                         file,
                         " names ",
                         class_names_.size(),
                         " classes, expected ",
                         classes_,
                         " as it has scores"));
  }
}

void Detector::check_ports(const std::string& file) {
  const std::span<const Port> inputs = session_.inputs();
  const Shape input = inputs.empty() ? Shape{} : inputs[0].shape;
  if (inputs.size() != 1 || input.size() != 4 || input[1] != kChannels) {
    throw InputError(cat("[model] ",
                         file,
                         " has ",
                         inputs.size(),
                         " inputs, the first ",
                         to_string(input),
                         ", expected one [batch, 3, height, width]"));
  }
  size_ = {.height = input[2], .width = input[3]};
  boxes_at_ = place_of(session_.outputs(), "boxes");
  scores_at_ = place_of(session_.outputs(), "scores");
  selected_at_ = place_of(session_.outputs(), "selected");
  const Shape& boxes = session_.outputs()[boxes_at_].shape;
  const Shape& scores = session_.outputs()[scores_at_].shape;
  const Port& selected = session_.outputs()[selected_at_];
  const bool fit = boxes.size() == 3 && boxes[0] == input[0] && boxes[2] == 4 &&
                   scores.size() == 3 && scores[0] == input[0] && scores[2] == boxes[1] &&
                   selected.type == DType::kInt64 && selected.shape.size() == 2 &&
                   selected.shape[1] == 3;
  if (!fit) {
    throw InputError(cat("[model] ",
                         file,
                         " has boxes ",
                         to_string(boxes),
                         ", scores ",
                         to_string(scores),
                         " and selected ",
                         to_string(selected.shape),
                         ", expected [batch, priors, 4], [batch, classes, priors] and int64 "
                         "[n, 3]"));
  }
  priors_ = static_cast<std::size_t>(boxes[1]);
  classes_ = static_cast<std::size_t>(scores[1]);
}

std::vector<Detection> Detector::detect(const Image& image, float min_score, std::size_t most) {
  // A file of a fixed batch computes its other images too, which nobody looks at.
  const auto pixels = static_cast<std::size_t>(kChannels * size_.height * size_.width);
  stretch_to_input(image, size_, std::span(input_).first(pixels));
  const std::span<const float> in(input_);
  const std::vector<std::span<float>> out(arrays_.begin(), arrays_.end());
  session_.run({&in, 1}, out);
  return to_detections(outputs(), image.size, min_score, most);
}

DetectorOutputs Detector::outputs() const {
  DetectorOutputs result{.boxes = std::span(arrays_[boxes_at_]).first(4 * priors_),
                         .scores = std::span(arrays_[scores_at_]).first(classes_ * priors_),
                         .selected = {}};
  const std::vector<float>& rows = arrays_[selected_at_];
  for (std::size_t i = 0; i < selected_rows(rows); ++i) {
    if (rows[3 * i] != 0.0F) break;  // the next image of the batch
    result.selected.emplace_back(static_cast<std::int32_t>(rows[3 * i + 1]),
                                 static_cast<std::int32_t>(rows[3 * i + 2]));
  }
  return result;
}

}  // namespace lastbit
