#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

/// The data of an experiment: they decide which data sets fit and whose figures are published.
enum class Corpus : std::uint8_t { kMnist, kCifar10, kImageNet, kPennTreebank, kVoc };

/// What a setting squeezes.
enum class Start : std::uint8_t {
  kReference,  ///< the trained float network
  kRandom,     ///< a network as `lastbit train --epochs 0` writes it
};

/// One published setting: how a network is squeezed, and what the paper got.
struct Setting {
  std::string name;                   ///< "lc, K=2"
  std::vector<std::string> compress;  ///< options of `lastbit compress` beside the shared ones
  /// Published, on the test part: error in percent, perplexity, or mean precision in percent.
  std::optional<double> published = {};
  std::optional<double> bits = {};  ///< published ratio of bits, float to low-bit
  Start start = Start::kReference;
  /// At reduced length, in place of `compress`; where nothing is said, that without the published
  /// length.
  std::optional<std::vector<std::string>> quick_compress = {};

  std::vector<std::string> quick() const;
};

/// One network of an experiment: a reference for each seed, then each setting from it.
struct Subject {
  std::string network;                      ///< of the zoo
  std::vector<std::string> train;           ///< options of `lastbit train`
  std::vector<std::string> quick_train;     ///< the same at reduced length
  std::vector<std::string> compress;        ///< options shared by all settings
  std::vector<std::string> quick_compress;  ///< in their place at reduced length
  std::optional<double> reference = {};     ///< published figure of the float network
  std::vector<Setting> settings = {};
};

/// A published experiment as commands of this program.
struct Experiment {
  std::string name;
  std::string summary;
  Corpus corpus = Corpus::kMnist;
  std::vector<Subject> subjects;
};

/// What a reference is called among the settings.
inline constexpr std::string_view kReferenceName = "float reference";

/// All that are made of train and compress commands, in the order of help texts.
std::vector<Experiment> experiments();

// Those of one family of data; each in a file of its own.
std::vector<Experiment> mnist_experiments();
std::vector<Experiment> cifar_experiments();
std::vector<Experiment> imagenet_experiments();
std::vector<Experiment> language_experiments();
std::vector<Experiment> detection_experiments();

/// `words` and then `more`.
std::vector<std::string> with(std::vector<std::string> words, const std::vector<std::string>& more);

}  // namespace lastbit
