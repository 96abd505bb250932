#include "lastbit/zoo/detector.h"

#include <map>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/detect/box_coding.h"
#include "lastbit/detect/suppress.h"

namespace lastbit {
namespace {

using Attributes = std::map<std::string, Attribute, std::less<>>;
using Names = std::vector<std::string>;
using Sizes = std::vector<std::int64_t>;

/// Appends nodes of one output each, which has the node's name.
class EndWriter {
 public:
  explicit EndWriter(Graph& graph) : graph_(graph) {}

  std::string add(const std::string& name,
                  const std::string& op,
                  Names inputs,
                  Attributes attributes = {}) {
    graph_.nodes.push_back({.name = name,
                            .op = op,
                            .domain = {},
                            .inputs = std::move(inputs),
                            .outputs = {name},
                            .attributes = std::move(attributes)});
    return name;
  }
  std::string integers(const std::string& name, const Sizes& values) {
    graph_.initializers.emplace(name,
                                Tensor::int64s({static_cast<std::int64_t>(values.size())}, values));
    return name;
  }
  std::string number(const std::string& name, double value) {
    graph_.initializers.emplace(name, Tensor::scalar(static_cast<float>(value)));
    return name;
  }
  void output(const std::string& name, DType type, std::vector<Dim> dims) {
    graph_.outputs.push_back({.name = name, .type = type, .dims = std::move(dims)});
  }

 private:
  Graph& graph_;
};

// (batch, channels, height, width) of each map to (batch, priors of all maps, values).
void join_maps(EndWriter& end, const std::string& name, const Names& maps, std::int64_t values) {
  const std::string shape = end.integers(name + ".shape", {0, -1, values});
  Names rows;
  for (std::size_t k = 0; k < maps.size(); ++k) {
    const std::string last =
        end.add(cat(name, k + 1, ".last"), "Transpose", {maps[k]}, {{"perm", Sizes{0, 2, 3, 1}}});
    rows.push_back(end.add(cat(name, k + 1, ".rows"), "Reshape", {last, shape}));
  }
  end.add(name, "Concat", std::move(rows), {{"axis", std::int64_t{1}}});
}

// As `decode_box`. Pairs (x, y) are taken from the back, since suppression wants y first.
void decode_offsets(EndWriter& end) {
  const Variances variances;
  const std::string back = end.integers("boxes.back", {-1});
  const auto pair = [&](const std::string& of, const std::string& what, std::int64_t axis) {
    const bool centre = what == "centre";
    const std::string from = end.integers(cat(of, ".", what, "_from"), {centre ? 1 : 3});
    const std::string to = end.integers(cat(of, ".", what, "_to"), {centre ? -5 : 1});
    const std::string axes = end.integers(cat(of, ".", what, "_axis"), {axis});
    return end.add(cat(of, ".", what), "Slice", {of, from, to, axes, back});
  };
  const std::string prior_centre = pair("priors", "centre", 1);
  const std::string prior_size = pair("priors", "size", 1);

  const std::string far = end.number("boxes.centre_variance", variances.centre);
  std::string centre = end.add("boxes.move", "Mul", {pair("offsets", "centre", 2), far});
  centre = end.add("boxes.move_by", "Mul", {centre, prior_size});
  centre = end.add("boxes.centre", "Add", {centre, prior_centre});

  const std::string grown = end.number("boxes.size_variance", variances.size);
  std::string size = end.add("boxes.growth", "Mul", {pair("offsets", "size", 2), grown});
  size = end.add("boxes.factor", "Exp", {size});
  size = end.add("boxes.size", "Mul", {size, prior_size});
  const std::string half = end.add("boxes.half", "Mul", {size, end.number("boxes.one_half", 0.5)});
  const std::string low = end.add("boxes.low", "Sub", {centre, half});
  const std::string high = end.add("boxes.high", "Add", {centre, half});
  end.add("boxes", "Concat", {low, high}, {{"axis", std::int64_t{2}}});
}

void select_boxes(EndWriter& end, std::int64_t classes) {
  const std::string shares =
      end.add("class_shares", "Softmax", {"class_logits"}, {{"axis", std::int64_t{2}}});
  const std::string objects = end.add("object_shares",
                                      "Slice",
                                      {shares,
                                       end.integers("scores.from", {1}),
                                       end.integers("scores.to", {classes + 1}),
                                       end.integers("scores.axis", {2})});
  end.add("scores", "Transpose", {objects}, {{"perm", Sizes{0, 2, 1}}});
  const DetectionLimits limits;
  end.add("selected",
          "NonMaxSuppression",
          {"boxes",
           "scores",
           end.integers("selected.most", {static_cast<std::int64_t>(limits.most)}),
           end.number("selected.max_iou", limits.max_iou),
           end.number("selected.min_score", limits.min_score)});
}

Tensor prior_rows(const std::vector<CentredBox>& priors) {
  std::vector<float> values;
  values.reserve(4 * priors.size());
  for (const CentredBox& prior : priors) {
    values.insert(values.end(), {prior.x, prior.y, prior.width, prior.height});
  }
  return Tensor::floats({static_cast<std::int64_t>(priors.size()), 4}, values);
}

}  // namespace

void append_normalized(NetworkBuilder& network, const TrunkLayer& layer) {
  const std::string number = layer.name.substr(std::string_view("conv").size());
  network.convolution(layer.name, layer.channels, layer.window);
  network.batch_norm("bn" + number);
  if (layer.slope == 0.0F) {
    network.activation("act" + number);
  } else {
    network.leaky_relu("act" + number, layer.slope);
  }
}

Graph finish_detector(NetworkBuilder& network,
                      std::span<const NetworkBuilder::Place> places,
                      std::span<const PriorMap> maps,
                      std::int64_t classes) {
  std::vector<PriorMap> shaped(maps.begin(), maps.end());
  Names offsets;
  Names logits;
  for (std::size_t k = 0; k < places.size(); ++k) {
    shaped[k].height = places[k].sample[1];
    shaped[k].width = places[k].sample[2];
    const auto head = [&](const char* name, std::int64_t values) {
      network.resume(places[k]);
      network.convolution(cat(name, k + 1),
                          values * shaped[k].priors_per_cell(),
                          {.kernel = 3, .pad = 1, .rectified = false, .bias = true});
      return network.here().value;
    };
    offsets.push_back(head("offsets", 4));
    logits.push_back(head("classes", classes + 1));
  }
  const std::vector<CentredBox> priors = make_priors(shaped);
  const auto count = static_cast<std::int64_t>(priors.size());

  Graph graph = network.finish_without_output();
  graph.initializers.emplace("priors", prior_rows(priors));
  EndWriter end(graph);
  join_maps(end, "offsets", offsets, 4);
  join_maps(end, "class_logits", logits, classes + 1);
  decode_offsets(end);
  select_boxes(end, classes);
  const Dim batch{.size = -1, .symbol = "batch"};
  end.output("boxes", DType::kFloat, {batch, {.size = count}, {.size = 4}});
  end.output("scores", DType::kFloat, {batch, {.size = classes}, {.size = count}});
  end.output("selected", DType::kInt64, {{.size = -1, .symbol = "selected"}, {.size = 3}});
  return graph;
}

void require_square(std::string_view network, const ZooOptions& options, std::int64_t side) {
  if (options.input == Shape{3, side, side}) return;
  throw InputError(cat("[zoo] ",
                       network,
                       ": the input shape is ",
                       to_string(options.input),
                       ", expected ",
                       to_string(Shape{3, side, side})));
}

}  // namespace lastbit
