#include "lastbit/data/cifar.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/data/parts.h"
#include "lastbit/data/tar.h"

namespace lastbit {
namespace {

constexpr std::size_t kPixels = std::size_t{3} * 32 * 32;

/// One of the two sets: its files, and what a record begins with.
struct Layout {
  std::string_view archive;
  std::string_view folder;                        // that the archive unpacks to
  std::span<const std::string_view> files;        // those of training, then one for testing
  std::array<std::int32_t, 2> label_limits = {};  // of each label byte; 0 for one that is not there
  std::size_t label_bytes = 1;                    // the last of them is the label
};

constexpr std::array<std::string_view, 6> kFiles10 = {"data_batch_1.bin",
                                                      "data_batch_2.bin",
                                                      "data_batch_3.bin",
                                                      "data_batch_4.bin",
                                                      "data_batch_5.bin",
                                                      "test_batch.bin"};
constexpr std::array<std::string_view, 2> kFiles100 = {"train.bin", "test.bin"};
constexpr std::array<Layout, 2> kLayouts = {{
    {"cifar-10-binary.tar.gz", "cifar-10-batches-bin", kFiles10, {10, 0}, 1},
    {"cifar-100-binary.tar.gz", "cifar-100-binary", kFiles100, {20, 100}, 2},
}};

bool is_file(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

struct Place {
  const Layout* layout = nullptr;
  std::filesystem::path path;  // a folder, or the archive
  bool packed = false;
};

std::optional<Place> find(const std::filesystem::path& folder) {
  for (const Layout& layout : kLayouts) {
    for (const std::filesystem::path& place : {folder, folder / layout.folder}) {
      for (const std::string_view file : layout.files) {
        if (is_file(place / file)) return Place{&layout, place, false};
      }
    }
  }
  for (const Layout& layout : kLayouts) {
    if (is_file(folder / layout.archive)) return Place{&layout, folder / layout.archive, true};
  }
  return std::nullopt;
}

// Appends the records of a file. `where` names it.
void append(std::span<const std::byte> file,
            const std::string& where,
            const Layout& layout,
            Samples& samples) {
  const std::size_t record = layout.label_bytes + kPixels;
  if (file.empty() || file.size() % record != 0) {
    throw FormatError(cat("[cifar] ",
                          where,
                          " has ",
                          file.size(),
                          " bytes, expected a whole number of records of ",
                          record));
  }
  auto& pixels = std::get<std::vector<std::uint8_t>>(samples.values);
  for (std::size_t i = 0; i < file.size() / record; ++i) {
    const std::span<const std::byte> bytes = file.subspan(i * record, record);
    for (std::size_t k = 0; k < layout.label_bytes; ++k) {
      const auto label = std::to_integer<std::int32_t>(bytes[k]);
      if (label >= layout.label_limits[k]) {
        throw FormatError(cat("[cifar] ",
                              where,
                              " has label ",
                              label,
                              " in record ",
                              i,
                              ", expected 0, ..., ",
                              layout.label_limits[k] - 1));
      }
    }
    samples.labels.push_back(std::to_integer<std::int32_t>(bytes[layout.label_bytes - 1]));
    const auto* const begin =
        reinterpret_cast<const std::uint8_t*>(bytes.data()) + layout.label_bytes;
    pixels.insert(pixels.end(), begin, begin + kPixels);
  }
}

Samples empty_part(const std::filesystem::path& place) {
  Samples samples;
  samples.shape = {3, 32, 32};
  samples.values = std::vector<std::uint8_t>();
  samples.values_from = samples.labels_from = place.string();
  return samples;
}

}  // namespace

bool has_cifar(const std::filesystem::path& folder) { return find(folder).has_value(); }

Dataset read_cifar(const std::string& name, const std::filesystem::path& folder) {
  const std::optional<Place> place = find(folder);
  if (!place) throw InputError(cat("[cifar] ", folder.string(), " holds no file of CIFAR"));
  const Layout& layout = *place->layout;
  std::map<std::string, std::vector<std::byte>, std::less<>> packed;
  if (place->packed) packed = read_tar_gz(place->path, layout.files);
  Samples train = empty_part(place->path);
  Samples test = empty_part(place->path);
  for (const std::string_view file : layout.files) {
    Samples& part = file == layout.files.back() ? test : train;
    if (place->packed) {
      const auto entry = packed.find(file);
      if (entry == packed.end()) {
        throw FormatError(cat("[cifar] ", place->path.string(), " holds no ", file));
      }
      append(entry->second, cat(place->path.string(), ": ", file), layout, part);
      packed.erase(entry);
    } else {
      const std::filesystem::path path = place->path / file;
      if (!is_file(path)) {
        throw InputError(cat(
            "[cifar] ", place->path.string(), " has no ", file, ", expected ", join(layout.files)));
      }
      append(MappedFile(path).bytes(), path.string(), layout, part);
    }
  }
  const std::int64_t classes = layout.label_limits[layout.label_bytes - 1];
  return make_dataset(name, folder, std::move(train), std::move(test), classes);
}

}  // namespace lastbit
