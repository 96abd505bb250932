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
  return mnist_experiments();
}

}  // namespace lastbit
