#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lastbit {

/// One published setting: how the reference is squeezed, and what the paper got.
struct Setting {
  std::string name;                   ///< "lc, K=2"
  std::vector<std::string> compress;  ///< options of `lastbit compress` beside the shared ones
  std::optional<double> error = {};   ///< published test error, percent
  std::optional<double> bits = {};    ///< published ratio of bits, float to low-bit

  /// The options without those that ask for the published length.
  std::vector<std::string> quick() const;
};

/// A published experiment as commands of this program: a reference for each seed, then each setting
/// from it.
struct Experiment {
  std::string name;
  std::string summary;
  std::string network;                         ///< of the zoo
  std::vector<std::string> train;              ///< options of `lastbit train`
  std::vector<std::string> quick_train;        ///< the same at reduced length
  std::vector<std::string> compress;           ///< options shared by all settings
  std::vector<std::string> quick_compress;     ///< in their place at reduced length
  std::optional<double> reference_error = {};  ///< published, percent
  std::vector<Setting> settings = {};
};

/// All that are made of train and compress commands, in the order of help texts.
std::vector<Experiment> experiments();

}  // namespace lastbit
