#include "lastbit/base/text.h"
#include "lastbit/cli/train/experiments.h"

namespace lastbit {
namespace {

using Words = std::vector<std::string>;

// The drops of the learning rate are at shares of the run, so that only the length has to change.
Words of_length(Words words, int epochs) { return with({cat("--epochs=", epochs)}, words); }

// The network, its text and its training are those of Zaremba et al. 2014, "small": the learning
// rate 1 is halved in each epoch after the fourth of 13, the gradient is cut to a length of 5, and
// nothing is dropped. Their loss is summed over the 20 steps and ours is a mean: rate and length
// are 20 and 1/20 of theirs. Nothing is published for low-bit weights: the ADMM paper's abstract
// names language models, and no version that could be read shows one.
Subject small_subject() {
  const Words shared = {
      "--batch=20", "--steps=20", "--momentum=0", "--weight-decay=0", "--clip-gradient=0.25"};
  const Words train =
      with(shared, {"--learning-rate=20/2@0.31,0.39,0.46,0.54,0.62,0.69,0.77,0.85,0.92"});
  Subject result{.network = "lstm-lm",
                 .train = of_length(train, 13),
                 .quick_train = of_length(train, 4),
                 .compress = of_length(shared, 13),
                 .quick_compress = of_length(shared, 2),
                 .reference = 114.5};
  for (const std::string set : {"ternary", "shift:2", "binary"}) {
    // Of tanh there are forms for two and three levels.
    const std::string mirror = set == "shift:2" ? "md-softmax-s" : "md-tanh-s";
    for (const std::string& method : {std::string("admm"), std::string("lc"), mirror}) {
      result.settings.push_back(
          {.name = cat(method, ", ", set),
           .compress = {
               cat("--method=", method), cat("--codebook=", set), "--learning-rate=cosine:20"}});
      result.settings.back().quick_compress = result.settings.back().compress;
    }
    result.settings.push_back(
        {.name = cat("ste (picm), ", set),
         .compress = {"--method=picm", cat("--codebook=", set), "--learning-rate=cosine:20"}});
    result.settings.back().quick_compress = result.settings.back().compress;
  }
  return result;
}

}  // namespace

std::vector<Experiment> language_experiments() {
  return {{.name = "lm-ptb",
           .summary = "LSTM language model on Penn Treebank: ternary, shift:2 and binary by ADMM, "
                      "LC, mirror descent and STE",
           .corpus = Corpus::kPennTreebank,
           .subjects = {small_subject()}}};
}

}  // namespace lastbit
