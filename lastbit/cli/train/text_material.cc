#include "lastbit/cli/train/text_material.h"

#include <iostream>
#include <optional>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/language_model.h"
#include "lastbit/data/text.h"
#include "lastbit/train/language_modelling.h"
#include "lastbit/train/text_batches.h"

namespace lastbit {
namespace {

void report_unknown(const std::string& name, const TextPart& part, TextUnits units) {
  const std::string text = unknown_text(part, units);
  if (!text.empty()) std::cerr << "data: " << name << ": " << text << "\n";
}

class TextMaterial : public Material {
 public:
  explicit TextMaterial(TextSet text) : text_(std::move(text)) {
    report_unknown("train", text_.train, text_.vocabulary.units());
    report_unknown("test", text_.test, text_.vocabulary.units());
  }

  const std::string& name() const noexcept override { return text_.name; }

  Graph make(const NewNetwork& network, const TrainingChoice& /*training*/) const override {
    if (network.own_classes || network.own_input || network.normalize != "auto") {
      throw InputError(cat("[train] --input, --classes and --normalize are for images, '",
                           text_.name,
                           "' is a text"));
    }
    ZooOptions options = network.options;
    options.words = text_.vocabulary.size();
    Graph graph = make_network(network.architecture, options);
    if (!is_language_model(graph)) {
      throw InputError(cat("[train] '",
                           network.architecture,
                           "' takes no words, expected a language model for '",
                           text_.name,
                           "'"));
    }
    set_vocabulary(graph, text_.vocabulary);
    return graph;
  }

  std::vector<std::string> values(const Graph& graph) const override {
    std::vector<std::string> names;
    for (const Value& output : graph.outputs) names.push_back(output.name);
    return names;
  }

  Workload workload(const Graph& /*graph*/,
                    const Network& network,
                    const TrainingChoice& training) const override {
    const TextUnits units = text_.vocabulary.units();
    const auto batches = [&](const TextPart& part, std::int64_t streams) {
      return std::make_unique<TextBatches>(part,
                                           units,
                                           text_.vocabulary.size(),
                                           TextReading{.streams = streams, .steps = training.steps},
                                           network.device());
    };
    // A text is measured in one piece, as is usual: each word is foretold from all before it.
    return {.task = std::make_unique<LanguageModelling>(units),
            .train = batches(text_.train, training.trainer.batch),
            .test = batches(text_.test, 1)};
  }

 private:
  TextSet text_;
};

}  // namespace

std::unique_ptr<Material> open_text_material(const DataChoice& choice, const Graph* model) {
  std::optional<Vocabulary> vocabulary;
  if (model != nullptr) vocabulary = vocabulary_of(*model, "[model] the model");
  return std::make_unique<TextMaterial>(
      open_text(choice.name, options_of(choice), vocabulary ? &*vocabulary : nullptr));
}

}  // namespace lastbit
