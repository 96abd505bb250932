#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lastbit/detect/box.h"
#include "lastbit/detect/priors.h"

namespace lastbit {

inline constexpr std::int32_t kNoTruth = -1;

/// Gives priors the truths they are to find (Liu et al. 2016, section 2.2).
///
/// First each truth gets a prior of its own: of all pairs of a truth and a prior that are not taken
/// the one that overlaps most, and so on. Then each other prior gets the truth that it overlaps
/// most, where that is more than `threshold`. Among equals the first truth, then the first prior. A
/// truth that overlaps no free prior gets none.
/// @param truths  edges as parts of the image.
/// @return (priors.size()) index of a truth, or kNoTruth.
/// @throws InputError for a truth without area.
std::vector<std::int32_t> match_priors(std::span<const Box> truths,
                                       std::span<const CentredBox> priors,
                                       double threshold = 0.5);

/// Which priors of an image count in the loss of classes: all with a truth, and of the others the
/// `ratio` times as many with the largest losses (hard negative mining, section 2.2); the first
/// among equals.
/// @param losses  (priors) of the class "nothing".
/// @param matches  (priors) as `match_priors` gives them.
/// @return (priors) 1 for those that count, else 0.
/// @throws InputError for losses that are nan, lists of different lengths and a ratio
///     that is negative or not finite.
std::vector<std::uint8_t> mine_hard_negatives(std::span<const float> losses,
                                              std::span<const std::int32_t> matches,
                                              double ratio = 3.0);

}  // namespace lastbit
