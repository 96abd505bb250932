#include "lastbit/data/idx.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/gzip.h"

namespace lastbit {
namespace {

std::uint32_t big_endian(std::span<const std::byte> bytes, std::size_t at) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8U | std::to_integer<std::uint32_t>(bytes[at + i]);
  }
  return value;
}

std::string hex(std::uint32_t value) {
  std::array<char, 11> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", value);
  return text.data();
}

struct Idx {
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;  // with the header
  std::span<const std::byte> values;
};

Idx read(const std::filesystem::path& path, std::size_t dimensions) {
  const std::size_t header_size = 4 + 4 * dimensions;
  Idx idx;
  const auto promised = [&](std::span<const std::byte> header) {
    const auto magic = static_cast<std::uint32_t>(0x800U + dimensions);
    if (big_endian(header, 0) != magic) {
      throw FormatError(cat("[idx] ",
                            path.string(),
                            " begins with ",
                            hex(big_endian(header, 0)),
                            ", expected ",
                            hex(magic),
                            ": unsigned bytes in ",
                            dimensions,
                            dimensions == 1 ? " dimension" : " dimensions"));
    }
    std::uint64_t size = 1;
    for (std::size_t i = 0; i < dimensions; ++i) {
      const std::uint32_t extent = big_endian(header, 4 + 4 * i);
      if (extent == 0) {
        throw FormatError(
            cat("[idx] ", path.string(), " has size 0 in dimension ", i, ", expected at least 1"));
      }
      if (__builtin_mul_overflow(size, std::uint64_t{extent}, &size) || size >> 62U != 0) {
        throw FormatError(
            cat("[idx] ", path.string(), " promises more values than a file can have"));
      }
      idx.shape.push_back(extent);
    }
    return size + header_size;
  };
  idx.bytes = read_unpacked(path, header_size, promised);
  idx.values = std::span(idx.bytes).subspan(header_size);
  return idx;
}

const std::uint8_t* begin_of(const Idx& idx) noexcept {
  return reinterpret_cast<const std::uint8_t*>(idx.values.data());
}

// The file called `stem`-`kind` or, as some mirrors have it, `stem`.`kind`.
std::optional<std::filesystem::path> find(const std::filesystem::path& folder,
                                          const std::string& stem,
                                          const std::string& kind) {
  for (const char* const ending : {"", ".gz"}) {
    for (const char* const joint : {"-", "."}) {
      std::filesystem::path path = folder / cat(stem, joint, kind, ending);
      std::error_code error;
      if (std::filesystem::exists(path, error)) return path;
    }
  }
  return std::nullopt;
}

std::filesystem::path require(const std::filesystem::path& folder,
                              const std::string& stem,
                              const std::string& kind) {
  std::optional<std::filesystem::path> path = find(folder, stem, kind);
  if (path) return *std::move(path);
  throw InputError(cat(
      "[idx] ", folder.string(), " has no ", stem, "-", kind, " and no ", stem, "-", kind, ".gz"));
}

constexpr const char* kImages = "idx3-ubyte";
constexpr const char* kLabels = "idx1-ubyte";

Samples read_part(const std::filesystem::path& folder, const std::string& part) {
  return read_idx(require(folder, part + "-images", kImages),
                  require(folder, part + "-labels", kLabels));
}

}  // namespace

Samples read_idx(const std::filesystem::path& images, const std::filesystem::path& labels) {
  const Idx pixels = read(images, 3);
  const Idx classes = read(labels, 1);
  const std::uint8_t* const pixel = begin_of(pixels);
  const std::uint8_t* const label = begin_of(classes);
  Samples samples;
  samples.shape = {1, pixels.shape[1], pixels.shape[2]};
  samples.values = std::vector<std::uint8_t>(pixel, pixel + pixels.values.size());
  samples.labels.assign(label, label + classes.values.size());
  samples.values_from = images.string();
  samples.labels_from = labels.string();
  return samples;
}

bool has_idx(const std::filesystem::path& folder) {
  for (const char* const part : {"train", "t10k"}) {
    if (find(folder, cat(part, "-images"), kImages)) return true;
    if (find(folder, cat(part, "-labels"), kLabels)) return true;
  }
  return false;
}

Dataset read_idx_folder(const std::string& name, const std::filesystem::path& folder) {
  Samples train = read_part(folder, "train");
  Samples test = read_part(folder, "t10k");
  return make_dataset(name, folder, std::move(train), std::move(test));
}

}  // namespace lastbit
