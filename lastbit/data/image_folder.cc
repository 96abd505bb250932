#include "lastbit/data/image_folder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/base/threads.h"
#include "lastbit/data/image.h"
#include "lastbit/data/image_list.h"
#include "lastbit/data/image_stream.h"
#include "lastbit/data/parts.h"

namespace lastbit {
namespace {

constexpr std::int64_t kMaxSide = 4096;
constexpr std::int64_t kMaxKeep = std::int64_t{1} << 24U;  // MiB
constexpr std::int64_t kUsualSize = 224;
constexpr std::int64_t kUsualResize = 256;

std::int64_t parse_number(std::string_view key, std::string_view text, std::int64_t most) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::int64_t least = key == "keep" ? 0 : 1;
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    throw InputError(cat("[images] ", key, " is '", text, "', expected ", least, ", ..., ", most));
  }
  return value;
}

/// A part while it is opened: its files, and what is wrong with some.
struct OpenPart {
  ImageFiles files;
  std::vector<ImageSize> sizes;
  std::vector<std::string> skipped;

  // Leaves out the files with an error, or throws the first one. @return which stay.
  std::vector<std::size_t> drop(const std::vector<std::string>& errors, bool strict) {
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < errors.size(); ++i) {
      if (errors[i].empty()) {
        kept.push_back(i);
      } else if (strict) {
        throw FormatError(errors[i]);
      } else {
        skipped.push_back(errors[i]);
      }
    }
    if (kept.empty()) {
      throw FormatError(cat("[images] no file can be read, the first since: ", skipped.front()));
    }
    for (std::size_t to = 0; to < kept.size(); ++to) {
      if (kept[to] == to) continue;
      files.paths[to] = std::move(files.paths[kept[to]]);
      files.labels[to] = files.labels[kept[to]];
      sizes[to] = sizes[kept[to]];
    }
    files.paths.resize(kept.size());
    files.labels.resize(kept.size());
    sizes.resize(kept.size());
    return kept;
  }
};

// Calls `work(i)` for each of `count` files on all threads. @return what went wrong with each.
template <typename Work>
std::vector<std::string> for_each_file(std::size_t count, int threads, const Work& work) {
  std::vector<std::string> errors(count);
  parallel_for(count, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      try {
        work(i);
      } catch (const InputError& error) {
        errors[i] = error.what();
      }
    }
  });
  return errors;
}

OpenPart read_headers(ImageFiles files, const DataOptions& data) {
  OpenPart part{.files = std::move(files), .sizes = {}, .skipped = {}};
  part.sizes.resize(part.files.paths.size());
  const auto errors = for_each_file(part.sizes.size(), data.threads, [&](std::size_t i) {
    const std::filesystem::path& path = part.files.paths[i];
    part.sizes[i] = read_image_size(MappedFile(path).bytes(), path.string());
  });
  part.drop(errors, data.strict);
  return part;
}

// Whether all images of both parts have one size.
bool are_equal(const OpenPart& train, const OpenPart& test) {
  return std::ranges::all_of(std::array{&train, &test}, [&](const OpenPart* part) {
    return std::ranges::all_of(part->sizes,
                               [&](const ImageSize& size) { return size == train.sizes.front(); });
  });
}

ImageFit fit_of(const ImageFolderOptions& options, const OpenPart& train, const OpenPart& test) {
  if (options.size == 0 && options.resize == 0) {
    const ImageSize& first = train.sizes.front();
    const bool small = first.height <= kMaxSide && first.width <= kMaxSide;
    if (small && are_equal(train, test)) return {};
    return {.resize = kUsualResize, .size = kUsualSize};
  }
  ImageFit fit{.resize = options.resize, .size = options.size};
  if (fit.size == 0) fit.size = fit.resize;
  if (fit.resize == 0) fit.resize = fit.size;
  if (fit.size > fit.resize) {
    throw InputError(cat("[images] size is ", fit.size, ", expected at most resize=", fit.resize));
  }
  return fit;
}

// Decodes the whole part.
Samples decode_part(OpenPart part, const ImageReader& reader, const DataOptions& data) {
  const std::size_t stride = reader.stride();
  std::vector<std::uint8_t> bytes(part.files.paths.size() * stride);
  const auto errors = for_each_file(part.sizes.size(), data.threads, [&](std::size_t i) {
    reader.read(part.files.paths[i], std::span(bytes).subspan(i * stride, stride));
  });
  const std::vector<std::size_t> kept = part.drop(errors, data.strict);
  for (std::size_t to = 0; to < kept.size(); ++to) {
    if (kept[to] == to) continue;
    std::copy_n(bytes.data() + kept[to] * stride, stride, bytes.data() + to * stride);
  }
  bytes.resize(kept.size() * stride);
  Samples samples;
  samples.shape = reader.shape;
  samples.values = std::move(bytes);
  samples.labels = std::move(part.files.labels);
  samples.values_from = samples.labels_from = "image files";
  samples.skipped = std::move(part.skipped);
  return samples;
}

}  // namespace

ImageFolderOptions parse_image_folder_options(std::string_view text) {
  struct Key {
    std::string_view name;
    std::int64_t ImageFolderOptions::*value;
    std::int64_t most;
    bool seen = false;
  };
  std::array<Key, 3> keys = {{{"size", &ImageFolderOptions::size, kMaxSide},
                              {"resize", &ImageFolderOptions::resize, kMaxSide},
                              {"keep", &ImageFolderOptions::keep, kMaxKeep}}};
  ImageFolderOptions options;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const std::string_view name = item.substr(0, item.find('='));
    const auto key = std::ranges::find(keys, name, &Key::name);
    if (key == keys.end()) {
      throw InputError(cat("[images] unknown key '",
                           name,
                           "', expected size, resize or keep as in "
                           "imagefolder:PATH,size=224,resize=256"));
    }
    if (std::exchange(key->seen, true)) throw InputError(cat("[images] ", name, " is given twice"));
    const std::string_view value = item.substr(std::min(name.size() + 1, item.size()));
    options.*key->value = parse_number(name, value, key->most);
  }
  return options;
}

Dataset read_image_folder(const std::string& name,
                          const std::filesystem::path& folder,
                          const ImageFolderOptions& options,
                          const DataOptions& data) {
  DataOptions own = data;
  if (own.threads <= 0) own.threads = usable_processors();
  ImageList list = list_images(folder);
  const auto classes = static_cast<std::int64_t>(list.classes.size());
  OpenPart train = read_headers(std::move(list.train), own);
  OpenPart test = read_headers(std::move(list.test), own);
  const ImageFit fit = fit_of(options, train, test);
  const ImageSize size = fit.resize == 0 ? train.sizes.front() : ImageSize{fit.size, fit.size};
  const ImageReader reader{.fit = fit, .shape = {3, size.height, size.width}};

  const auto samples = static_cast<double>(train.sizes.size() + test.sizes.size());
  const double mebibytes = samples * static_cast<double>(reader.stride()) / 0x1p20;
  Dataset dataset;
  if (mebibytes <= static_cast<double>(options.keep)) {
    dataset = make_dataset(name,
                           folder,
                           decode_part(std::move(train), reader, own),
                           decode_part(std::move(test), reader, own),
                           classes);
  } else {
    const auto stream = [&](OpenPart part) {
      return std::make_shared<StreamedImages>(
          std::move(part.files), classes, reader, std::move(part.skipped), own);
    };
    dataset.name = name;
    dataset.folder = folder;
    dataset.train = stream(std::move(train));
    dataset.test = stream(std::move(test));
  }
  dataset.class_names = std::move(list.classes);
  return dataset;
}

}  // namespace lastbit
