#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "lastbit/data/dataset.h"

namespace lastbit {

/// Samples and labels of one part as a reader found them.
struct Samples {
  std::vector<std::int64_t> shape;  ///< Of one sample; positive.
  /// (labels.size(), shape...). Bytes stand for value / 255.
  std::variant<std::vector<std::uint8_t>, std::vector<float>> values;
  std::vector<std::int32_t> labels;
  std::string values_from;  ///< Where they were read, for messages.
  std::string labels_from;
  std::vector<std::string> skipped = {};  ///< What `DatasetSource::skipped` says.
};

/// Bytes of images as floats in [0, 1].
void bytes_to_floats(std::span<const std::uint8_t> from, float* to) noexcept;

/// Checks the arguments of `DatasetSource::gather`.
/// @throws InputError for a room that does not fit the samples, and indices out of range.
void check_gather(std::span<const std::int64_t> indices,
                  std::size_t room,
                  std::size_t stride,
                  std::int64_t size);

/// Makes a data set of two parts that fit each other: as many labels as samples in each, one sample
/// shape, labels from 0, floats finite. Classes are counted by the largest label of both parts.
/// @param classes  at least so many, whatever the labels show.
/// @throws FormatError naming the file, and the index and value of what is wrong.
Dataset make_dataset(std::string name,
                     std::filesystem::path folder,
                     Samples train,
                     Samples test,
                     std::int64_t classes = 1);

}  // namespace lastbit
