#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

inline constexpr std::string_view kSuperResolutionSummary =
    "linear regression from 14x14 to 28x28 digits with exact L steps, by LC, iDC and DC";

struct SuperResolutionChoice {
  std::string data = "mnist";
  std::string data_folder;
  std::int64_t seeds = 1;  ///< each draws its own images
  int threads = 0;
};

struct SuperResolutionResult {
  std::string setting;            ///< "lc, K=2"
  std::vector<double> loss;       ///< mean over images of ||y - Wx - b||^2, one for each seed
  std::vector<double> test_loss;  ///< the same on other images
};

/// The linear-regression experiment of Carreira-Perpinan and Idelbayev 2017, part II: 1,000 digits
/// made small by averaging 2x2 pixels are made large again by y = Wx + b, W with K = 2 or 4 learned
/// levels. L steps are solved exactly (train/linear_regression.h); mu_k = 10 * 1.1^k, 30 rounds.
/// @throws InputError if the data are not images of 28 x 28.
std::vector<SuperResolutionResult> run_superresolution(const SuperResolutionChoice& choice);

}  // namespace lastbit
