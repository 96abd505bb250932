#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "lastbit/data/dataset.h"
#include "lastbit/data/image.h"
#include "lastbit/data/image_list.h"

namespace lastbit {

/// Reads image files as samples of one shape.
struct ImageReader {
  ImageFit fit;
  std::vector<std::int64_t> shape;  // (3, height, width)

  std::size_t stride() const noexcept;
  /// @param out  (3, height, width)
  /// @throws InputError or FormatError naming the file.
  void read(const std::filesystem::path& path, std::span<std::uint8_t> out) const;
};

/// Image files that are decoded whenever they are asked for.
class StreamedImages final : public DatasetSource {
 public:
  /// @param skipped  of the files that were left out before.
  StreamedImages(ImageFiles files,
                 std::int64_t classes,
                 ImageReader reader,
                 std::vector<std::string> skipped,
                 const DataOptions& options);

  std::int64_t size() const noexcept override {
    return static_cast<std::int64_t>(files_.labels.size());
  }
  std::span<const std::int64_t> sample_shape() const noexcept override { return reader_.shape; }
  std::int64_t classes() const noexcept override { return classes_; }
  std::span<const std::int32_t> labels() const noexcept override { return files_.labels; }
  void gather(std::span<const std::int64_t> indices, std::span<float> out) const override;
  bool in_memory() const noexcept override { return false; }
  std::vector<std::string> skipped() const override;

 private:
  void read(std::size_t index, std::span<std::uint8_t> out) const;
  bool try_to_read(std::size_t index, std::span<std::uint8_t> out) const;

  ImageFiles files_;
  std::int64_t classes_;
  ImageReader reader_;
  std::vector<std::string> left_out_;
  int threads_;
  bool strict_;
  mutable std::mutex mutex_;
  mutable std::map<std::size_t, std::string> replaced_;  // by index; guarded by mutex_
};

}  // namespace lastbit
