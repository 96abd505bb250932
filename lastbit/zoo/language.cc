#include "lastbit/zoo/language.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/zoo/networks.h"

namespace lastbit {
namespace {

constexpr std::int64_t kMaxElements = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMostLayers = 64;

// What a size stands for, where the options leave it open.
struct LanguageSize {
  std::string_view name;
  std::int64_t layers = 2;
  std::int64_t units = 200;
  float dropout = 0.0F;
  double limit = 0.1;  // weights are drawn uniformly between -limit and +limit
};

// Zaremba, Sutskever and Vinyals 2014, section 4.1, for the Penn Treebank.
constexpr std::array<LanguageSize, 3> kWordSizes = {
    {{.name = "small", .layers = 2, .units = 200, .dropout = 0.0F, .limit = 0.1},
     {.name = "medium", .layers = 2, .units = 650, .dropout = 0.5F, .limit = 0.05},
     {.name = "large", .layers = 2, .units = 1500, .dropout = 0.65F, .limit = 0.04}}};
// The small one is the default of Karpathy's char-rnn (2015), whose limit both have.
constexpr std::array<LanguageSize, 2> kCharacterSizes = {
    {{.name = "small", .layers = 2, .units = 128, .dropout = 0.0F, .limit = 0.08},
     {.name = "medium", .layers = 2, .units = 512, .dropout = 0.5F, .limit = 0.08}}};

class LanguageBuilder {
 public:
  LanguageBuilder(std::string_view network,
                  const ZooOptions& options,
                  bool lstm,
                  std::int64_t words,
                  const LanguageSize& size)
      : network_(network),
        lstm_(lstm),
        tied_(options.tied),
        words_(options.words == 0 ? words : options.words),
        layers_(options.layers == 0 ? size.layers : options.layers),
        units_(options.units == 0 ? size.units : options.units),
        dropout_(options.dropout < 0.0F ? size.dropout : options.dropout),
        limit_(size.limit),
        seed_(options.seed) {
    require("words", words_, 2, kMaxElements);
    require("layers", layers_, 1, kMostLayers);
    require("units", units_, 1, kMaxElements);
    if (!(dropout_ >= 0.0F && dropout_ < 1.0F)) {
      throw InputError(
          cat("[zoo] ", network_, ": the dropout is ", dropout_, ", expected 0 <= dropout < 1"));
    }
    graph_.name = network_;
  }

  Graph build() {
    const std::vector<Dim> batch = {open("steps"), open("batch")};
    graph_.inputs.push_back({.name = "tokens", .type = DType::kInt64, .dims = batch});
    graph_.initializers.emplace("state.axis", Tensor::int64s({1}, std::vector<std::int64_t>{1}));
    add_weight("embedding.weight", {words_, units_});
    add("embedding", "Gather", {"embedding.weight", "tokens"});
    for (std::int64_t layer = 1; layer <= layers_; ++layer) {
      add_dropout(layer);
      add_layer(layer);
    }
    add_dropout(layers_ + 1);
    add_softmax();
    std::vector<Dim> dims = batch;
    dims.push_back({.size = words_, .symbol = {}});
    graph_.outputs.insert(graph_.outputs.begin(),
                          {.name = "logits", .type = DType::kFloat, .dims = std::move(dims)});
    return std::move(graph_);
  }

 private:
  static Dim open(const char* symbol) { return {.size = -1, .symbol = symbol}; }

  void require(std::string_view what,
               std::int64_t value,
               std::int64_t least,
               std::int64_t most) const {
    if (value >= least && value <= most) return;
    throw InputError(cat("[zoo] ",
                         network_,
                         ": the number of ",
                         what,
                         " is ",
                         value,
                         ", expected ",
                         least,
                         ", ..., ",
                         most));
  }

  void add_weight(const std::string& name, Shape shape) {
    std::int64_t elements = 1;
    for (const std::int64_t size : shape) {
      if (size > kMaxElements / elements) {
        throw InputError(cat("[zoo] ",
                             network_,
                             ": ",
                             name,
                             " would be ",
                             to_string(shape),
                             ", expected at most ",
                             kMaxElements,
                             " weights"));
      }
      elements *= size;
    }
    std::vector<float> weights(static_cast<std::size_t>(elements));
    Random random(seed_, streams_++);
    for (float& w : weights) w = static_cast<float>(random.uniform(-limit_, limit_));
    graph_.initializers.emplace(name, Tensor::floats(std::move(shape), weights));
  }

  void add_bias(const std::string& name, Shape shape) {
    const std::vector<float> zeros(static_cast<std::size_t>(element_count(shape)), 0.0F);
    graph_.initializers.emplace(name, Tensor::floats(std::move(shape), zeros));
  }

  // A node of one result, which the next one takes.
  void add(const std::string& name, std::string op, std::vector<std::string> inputs) {
    last_ = name + ".out";
    graph_.nodes.push_back({.name = name,
                            .op = std::move(op),
                            .domain = {},
                            .inputs = std::move(inputs),
                            .outputs = {last_},
                            .attributes = {}});
  }

  void add_dropout(std::int64_t number) {
    if (dropout_ == 0.0F) return;
    const std::string name = cat("dropout", number);
    graph_.initializers.emplace(name + ".ratio", Tensor::scalar(dropout_));
    add(name, "Dropout", {last_, name + ".ratio"});
  }

  // A state that the caller gives and gets back.
  std::string add_state(const char* kind, std::int64_t layer) {
    std::string name = cat(kind, '_', layer);
    Value value{.name = name,
                .type = DType::kFloat,
                .dims = {{.size = 1, .symbol = {}}, open("batch"), {.size = units_, .symbol = {}}}};
    graph_.inputs.push_back(value);
    value.name = "next_" + name;
    graph_.outputs.push_back(std::move(value));
    return name;
  }

  void add_layer(std::int64_t number) {
    const std::string name = cat(lstm_ ? "lstm" : "gru", number);
    const std::int64_t gates = lstm_ ? 4 : 3;
    add_weight(name + ".input.weight", {1, gates * units_, units_});
    add_weight(name + ".recurrent.weight", {1, gates * units_, units_});
    add_bias(name + ".bias", {1, 2 * gates * units_});
    std::vector<std::string> states = {add_state("hidden", number)};
    if (lstm_) states.push_back(add_state("cell", number));
    add(name,
        lstm_ ? "LSTM" : "GRU",
        {last_, name + ".input.weight", name + ".recurrent.weight", name + ".bias", ""});
    Node& node = graph_.nodes.back();
    node.attributes.emplace("hidden_size", units_);
    // As cuDNN, and so PyTorch, has it.
    if (!lstm_) node.attributes.emplace("linear_before_reset", std::int64_t{1});
    for (const std::string& state : states) {
      node.inputs.push_back(state);
      node.outputs.push_back("next_" + state);
    }
    add(name + ".squeeze", "Squeeze", {last_, "state.axis"});
  }

  void add_softmax() {
    std::string weight = "softmax.weight";
    if (tied_) {
      const std::string values = last_;
      add("softmax.transpose", "Transpose", {"embedding.weight"});
      weight = std::exchange(last_, values);
    } else {
      add_weight(weight, {units_, words_});
    }
    add_bias("softmax.bias", {words_});
    add("softmax", "MatMul", {last_, weight});
    add("softmax.add", "Add", {last_, "softmax.bias"});
    graph_.nodes.back().outputs.front() = "logits";
  }

  std::string network_;
  bool lstm_;
  bool tied_;
  std::int64_t words_;
  std::int64_t layers_;
  std::int64_t units_;
  float dropout_;
  double limit_;
  std::uint64_t seed_;
  std::uint64_t streams_ = 0;  // of random numbers, one a weight
  std::string last_;           // value that the last node made
  Graph graph_;
};

// Networks that read tokens have no use for what describes images.
void refuse_images(std::string_view network, const ZooOptions& options) {
  const ZooOptions none;
  const auto refuse = [&](bool given, std::string_view what) {
    if (given) {
      throw InputError(cat(
          "[zoo] ", network, ": ", what, " does not fit, its inputs are tokens; expected none"));
    }
  };
  refuse(options.input != none.input, cat("the input shape ", to_string(options.input)));
  refuse(options.classes != none.classes, "a number of classes");
  refuse(options.hidden != none.hidden, "a list of hidden widths");
  refuse(options.activation != none.activation, cat("the activation '", options.activation, "'"));
  refuse(options.center != none.center, cat("the center '", options.center, "'"));
  refuse(options.shortcut != none.shortcut, cat("the shortcut '", options.shortcut, "'"));
}

// @param words  entries of the vocabulary where the options leave it open
Graph make_language_model(std::string_view network,
                          const ZooOptions& options,
                          bool lstm,
                          std::int64_t words,
                          std::span<const LanguageSize> sizes) {
  refuse_images(network, options);
  const std::string_view wanted = options.size.empty() ? sizes.front().name : options.size;
  const auto size = std::ranges::find(sizes, wanted, &LanguageSize::name);
  if (size == sizes.end()) {
    std::vector<std::string_view> names;
    for (const LanguageSize& known : sizes) names.push_back(known.name);
    throw InputError(
        cat("[zoo] ", network, ": the size is '", wanted, "', expected ", join(names, " or ")));
  }
  return LanguageBuilder(network, options, lstm, words, *size).build();
}

}  // namespace

void refuse_language(std::string_view network, const ZooOptions& options) {
  std::string_view given;
  if (options.dropout >= 0.0F) given = "a dropout";
  if (options.tied) given = "tied weights";
  if (options.layers != 0) given = "a number of layers";
  if (options.units != 0) given = "a number of units";
  if (options.words != 0) given = "a number of words";
  if (!options.size.empty()) given = "a size";
  if (given.empty()) return;
  throw InputError(cat("[zoo] ",
                       network,
                       ": ",
                       given,
                       " does not fit, expected none, or a language model such as lstm-lm"));
}

Graph make_lstm_lm(const ZooOptions& options) {
  return make_language_model("lstm-lm", options, true, 10000, kWordSizes);
}

Graph make_gru_lm(const ZooOptions& options) {
  return make_language_model("gru-lm", options, false, 10000, kWordSizes);
}

Graph make_char_lstm(const ZooOptions& options) {
  return make_language_model("char-lstm", options, true, 128, kCharacterSizes);
}

}  // namespace lastbit
