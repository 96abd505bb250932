#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lastbit/data/dataset.h"

namespace lastbit {

/// The embedded data set: 28x28 grey images of the ten digits, drawn when it is opened.
struct DigitsOptions {
  std::uint64_t seed = 0;      ///< Another seed gives other images of the same kind.
  std::int64_t train = 60000;  ///< Training images, 1, ..., 1000000.
  std::int64_t test = 10000;   ///< Test images, 1, ..., 1000000. They do not depend on `train`.
};

inline constexpr int kDigitsSide = 28;

enum class DigitsPart { kTrain, kTest };

/// Draws images `first`, `first` + 1, ... of a part. An image depends on seed, part and its index
/// alone, and is the same to the byte on every machine that follows IEEE 754: only sums, products,
/// quotients and square roots are used, never contracted.
///
/// @param images  (labels.size(), 28, 28), 0 for paper and 255 for ink
/// @param labels  0, ..., 9, uniform
void draw_digits(std::uint64_t seed,
                 DigitsPart part,
                 std::int64_t first,
                 std::span<std::uint8_t> images,
                 std::span<std::int32_t> labels) noexcept;

/// Reads what follows "digits:" in the name of a data set, such as "seed=3,train=20000,test=2000".
/// @throws InputError for an unknown or repeated key, with the list of keys, and for a value that
///     is no whole number in its range.
DigitsOptions parse_digits_options(std::string_view text);

/// Draws both parts on `threads` threads.
/// @throws InputError if an option is out of its range.
Dataset make_digits(const DigitsOptions& options, int threads);

}  // namespace lastbit
