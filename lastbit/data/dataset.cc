#include "lastbit/data/dataset.h"

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/base/threads.h"
#include "lastbit/data/arrays.h"
#include "lastbit/data/cifar.h"
#include "lastbit/data/detection.h"
#include "lastbit/data/digits.h"
#include "lastbit/data/idx.h"
#include "lastbit/data/image_folder.h"
#include "lastbit/data/image_list.h"
#include "lastbit/data/places.h"
#include "lastbit/data/text.h"

namespace lastbit {
namespace {

constexpr std::string_view kDigits = "digits";
constexpr std::string_view kImageFolder = "imagefolder:";

constexpr std::array<DatasetInfo, 5> kKnown = {{
    {"digits", "drawn by LastBit itself, 28x28 grey, 10 classes, 60000 + 10000; needs no files"},
    {"mnist", "handwritten digits, 28x28 grey, 10 classes, 60000 + 10000"},
    {"fashion-mnist", "pictures of clothes, 28x28 grey, 10 classes, 60000 + 10000"},
    {"cifar10", "photographs, 32x32 colour, 10 classes, 50000 + 10000"},
    {"cifar100", "photographs, 32x32 colour, 100 classes, 50000 + 10000"},
}};

bool is_file(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error) && !std::filesystem::is_directory(path, error);
}

Dataset open_folder(const std::string& name,
                    const std::filesystem::path& folder,
                    const DataOptions& options) {
  if (has_idx(folder)) return read_idx_folder(name, folder);
  if (has_npy(folder)) return read_npy_folder(name, folder);
  if (has_cifar(folder)) return read_cifar(name, folder);
  if (has_image_folder(folder)) return read_image_folder(name, folder, {}, options);
  throw InputError(
      cat("[dataset] ",
          folder.string(),
          " holds no data set: expected train-images-idx3-ubyte[.gz] and its three "
          "companions, x_train.npy, y_train.npy, x_test.npy and y_test.npy, or the files "
          "of CIFAR's binary version"));
}

std::optional<Dataset> open_if_there(const std::string& name,
                                     const std::filesystem::path& path,
                                     const DataOptions& options) {
  if (is_folder(path)) return open_folder(name, path, options);
  if (is_file(path)) return read_npz(name, path);
  std::filesystem::path npz = path;
  npz += ".npz";
  if (is_file(npz)) return read_npz(name, npz);
  return std::nullopt;
}

bool is_known(std::string_view name) noexcept {
  return std::any_of(
      kKnown.begin(), kKnown.end(), [&](const DatasetInfo& row) { return row.name == name; });
}

[[noreturn]] void fail_missing(const std::string& name,
                               const std::vector<std::filesystem::path>& searched) {
  std::vector<std::string_view> known;
  known.reserve(kKnown.size());
  for (const DatasetInfo& row : kKnown) known.push_back(row.name);
  std::vector<std::string> places;
  places.reserve(searched.size());
  for (const std::filesystem::path& place : searched) places.push_back(place.string());
  throw InputError(cat("[dataset] no data set '",
                       name,
                       "': searched ",
                       join(places),
                       ", each as ",
                       "a folder, a file and with .npz; known names are ",
                       join(known)));
}

// `text` is what stands behind "imagefolder:": a path, then options behind commas.
Dataset open_image_folder(const std::string& name,
                          const std::string& text,
                          const DataOptions& options) {
  const std::string path = text.substr(0, text.find(','));
  const ImageFolderOptions own = parse_image_folder_options(
      std::string_view(text).substr(std::min(path.size() + 1, text.size())));
  return read_image_folder(name, find_folder(path, options), own, options);
}

}  // namespace

std::span<const DatasetInfo> known_datasets() noexcept { return kKnown; }

Dataset open_dataset(const std::string& name, const DataOptions& options) {
  if (name.empty()) throw InputError("[dataset] the name of the data set is empty");
  if (name == kDigits || name.starts_with(cat(kDigits, ':'))) {
    const DigitsOptions digits =
        name == kDigits ? DigitsOptions{} : parse_digits_options(name.substr(kDigits.size() + 1));
    Dataset dataset =
        make_digits(digits, options.threads > 0 ? options.threads : usable_processors());
    dataset.name = name;
    return dataset;
  }
  if (name.starts_with(kImageFolder)) {
    return open_image_folder(name, name.substr(kImageFolder.size()), options);
  }
  if (is_detection_name(name)) {
    throw InputError(
        cat("[dataset] ", name, " has boxes, expected images or vectors with one label each"));
  }
  if (is_text_name(name)) {
    throw InputError(
        cat("[dataset] ", name, " is a text, expected images or vectors with one label each"));
  }
  std::vector<std::filesystem::path> places;
  for (const std::filesystem::path& folder : data_folders(options)) {
    places.push_back(folder / name);
  }
  // The name of a well-known set never means whatever lies in the current folder.
  if (!is_known(name)) places.emplace_back(name);
  for (const std::filesystem::path& place : places) {
    if (std::optional<Dataset> found = open_if_there(name, place, options))
      return *std::move(found);
  }
  fail_missing(name, places);
}

}  // namespace lastbit
