#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

/// Labelled samples by index. No cursor and no randomness: order and augmentation are the caller's.
/// Any number of threads may read one object.
class DatasetSource {
 public:
  virtual ~DatasetSource() = default;

  virtual std::int64_t size() const noexcept = 0;
  /// Of one sample: {channels, height, width} for images, {features} for vectors.
  virtual std::span<const std::int64_t> sample_shape() const noexcept = 0;
  virtual std::int64_t classes() const noexcept = 0;
  /// (size()), each in 0, ..., classes() - 1.
  virtual std::span<const std::int32_t> labels() const noexcept = 0;

  /// Writes samples `indices` one after another; bytes of images become floats in [0, 1].
  /// @param out  (indices.size(), sample_shape()...)
  virtual void gather(std::span<const std::int64_t> indices, std::span<float> out) const = 0;

  /// All samples where they are held as bytes that stand for value / 255: (size(),
  /// sample_shape()...). Empty where they are not.
  virtual std::span<const std::uint8_t> bytes() const noexcept { return {}; }
  /// False where `gather` reads files, so that it pays to call it ahead of time.
  virtual bool in_memory() const noexcept { return true; }
  /// A sentence for each sample that could not be read and was left out or replaced, so far.
  virtual std::vector<std::string> skipped() const { return {}; }
};

/// The two parts of a data set, over the same classes and sample shape.
struct Dataset {
  std::string name;
  std::filesystem::path folder;  // where it was found; empty for a generated one
  std::shared_ptr<const DatasetSource> train;
  std::shared_ptr<const DatasetSource> test;
  std::vector<std::string> class_names;  // by label; empty where the files do not tell
};

struct DataOptions {
  std::filesystem::path data_dir;  ///< Searched first; then $LASTBIT_DATA, then ./data.
  int threads = 0;                 ///< For generators and decoding; 0 takes all processors.
  bool strict = false;             ///< A damaged image file is an error, and not skipped.
};

/// A row of the table of data sets.
struct DatasetInfo {
  std::string_view name;
  std::string_view summary;
};

std::span<const DatasetInfo> known_datasets() noexcept;

/// Opens the data set called `name`: a row of `known_datasets()`, a folder or npz file under one of
/// the data folders, or the path of one.
/// @throws InputError that says where was searched; FormatError for damaged files, labels out of
/// range,
///     or parts that do not fit each other.
Dataset open_dataset(const std::string& name, const DataOptions& options);

}  // namespace lastbit
