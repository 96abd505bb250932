#include "lastbit/cli/train/experiments.h"

namespace lastbit {

std::vector<std::string> Setting::quick() const {
  if (quick_compress) return *quick_compress;
  std::vector<std::string> result;
  for (const std::string& word : compress) {
    if (word != "--schedule=paper" && !word.starts_with("--epochs=") &&
        !word.starts_with("--batch=") && !word.starts_with("--learning-rate=")) {
      result.push_back(word);
    }
  }
  return result;
}

std::vector<std::string> with(std::vector<std::string> words,
                              const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::vector<Experiment> experiments() {
  std::vector<Experiment> result;
  for (const auto& family : {mnist_experiments(),
                             cifar_experiments(),
                             imagenet_experiments(),
                             language_experiments(),
                             detection_experiments()}) {
    result.insert(result.end(), family.begin(), family.end());
  }
  return result;
}

}  // namespace lastbit
