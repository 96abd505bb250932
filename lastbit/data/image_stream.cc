#include "lastbit/data/image_stream.h"

#include <algorithm>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/base/threads.h"
#include "lastbit/data/parts.h"

namespace lastbit {

std::size_t ImageReader::stride() const noexcept {
  return static_cast<std::size_t>(shape[0] * shape[1] * shape[2]);
}

void ImageReader::read(const std::filesystem::path& path, std::span<std::uint8_t> out) const {
  const Image image = decode_image(MappedFile(path).bytes(), path.string(), fit.resize);
  if (fit.resize == 0 && image.pixels.size() != out.size()) {
    throw FormatError(cat("[image] ",
                          path.string(),
                          " is ",
                          image.size.width,
                          " x ",
                          image.size.height,
                          ", expected ",
                          shape[2],
                          " x ",
                          shape[1],
                          " as its header said before"));
  }
  fit_image(image, fit, out);
}

StreamedImages::StreamedImages(ImageFiles files,
                               std::int64_t classes,
                               ImageReader reader,
                               std::vector<std::string> skipped,
                               const DataOptions& options)
    : files_(std::move(files)),
      classes_(classes),
      reader_(std::move(reader)),
      left_out_(std::move(skipped)),
      threads_(options.threads > 0 ? options.threads : usable_processors()),
      strict_(options.strict) {}

void StreamedImages::gather(std::span<const std::int64_t> indices, std::span<float> out) const {
  const std::size_t stride = reader_.stride();
  check_gather(indices, out.size(), stride, size());
  parallel_for(indices.size(), threads_, [&](std::size_t begin, std::size_t end) {
    std::vector<std::uint8_t> bytes(stride);
    for (std::size_t i = begin; i < end; ++i) {
      read(static_cast<std::size_t>(indices[i]), bytes);
      bytes_to_floats(bytes, out.data() + i * stride);
    }
  });
}

std::vector<std::string> StreamedImages::skipped() const {
  std::vector<std::string> all = left_out_;
  const std::lock_guard lock(mutex_);
  for (const auto& [index, reason] : replaced_) all.push_back(reason);
  return all;
}

bool StreamedImages::try_to_read(std::size_t index, std::span<std::uint8_t> out) const {
  try {
    reader_.read(files_.paths[index], out);
    return true;
  } catch (const InputError& error) {
    if (strict_) throw;
    const std::lock_guard lock(mutex_);
    replaced_.emplace(index, error.what());
    return false;
  }
}

void StreamedImages::read(std::size_t index, std::span<std::uint8_t> out) const {
  const std::size_t count = files_.labels.size();
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t next = (index + k) % count;
    if (files_.labels[next] == files_.labels[index] && try_to_read(next, out)) return;
  }
  throw FormatError(cat("[images] ",
                        files_.paths[index].string(),
                        " cannot be read, and no other file of its class"));
}

}  // namespace lastbit
