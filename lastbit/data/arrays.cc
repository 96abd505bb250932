#include "lastbit/data/arrays.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/data/npy.h"
#include "lastbit/data/npz.h"
#include "lastbit/data/parts.h"

namespace lastbit {
namespace {

struct Bytes {
  std::span<const std::byte> npy;
  std::string where;
};

void read_samples(const Bytes& file, Samples& samples) {
  const NpyArray array = parse_npy(file.npy, file.where);
  const std::size_t dimensions = array.shape.size();
  if (dimensions < 2 || dimensions > 4) {
    throw FormatError(cat("[dataset] ",
                          file.where,
                          " has shape (",
                          join(array.shape),
                          "), expected (n, features), (n, height, width) or "
                          "(n, channels, height, width)"));
  }
  for (std::size_t i = 0; i < dimensions; ++i) {
    if (array.shape[i] == 0) {
      throw FormatError(
          cat("[dataset] ", file.where, " has size 0 in dimension ", i, ", expected at least 1"));
    }
  }
  samples.shape.assign(array.shape.begin() + 1, array.shape.end());
  if (dimensions == 3) samples.shape.insert(samples.shape.begin(), 1);
  if (array.dtype.ends_with("u1")) {
    const auto* const begin = reinterpret_cast<const std::uint8_t*>(array.data.data());
    samples.values = std::vector<std::uint8_t>(begin, begin + array.data.size());
  } else if (array.dtype.ends_with("f4") || array.dtype.ends_with("f8")) {
    samples.values = npy_floats(array, file.where);
  } else {
    throw FormatError(cat("[dataset] ",
                          file.where,
                          " has dtype ",
                          array.dtype,
                          ", expected u1 (divided by 255), f4 or f8"));
  }
  samples.values_from = file.where;
}

void read_labels(const Bytes& file, Samples& samples) {
  const NpyArray array = parse_npy(file.npy, file.where);
  const std::size_t dimensions = array.shape.size();
  if (dimensions < 1 || dimensions > 2 || (dimensions == 2 && array.shape[1] != 1)) {
    throw FormatError(cat(
        "[dataset] ", file.where, " has shape (", join(array.shape), "), expected (n) or (n, 1)"));
  }
  samples.labels = npy_integers(array, file.where);
  samples.labels_from = file.where;
}

Samples read_npz_part(const Npz& npz, const std::string& part) {
  Samples samples;
  {
    const std::vector<std::byte> x = npz.read("x_" + part);
    read_samples({x, cat(npz.path().string(), ": x_", part)}, samples);
  }
  const std::vector<std::byte> y = npz.read("y_" + part);
  read_labels({y, cat(npz.path().string(), ": y_", part)}, samples);
  return samples;
}

Samples read_npy_part(const std::filesystem::path& folder, const std::string& part) {
  Samples samples;
  const std::filesystem::path x = folder / cat("x_", part, ".npy");
  read_samples({MappedFile(x).bytes(), x.string()}, samples);
  const std::filesystem::path y = folder / cat("y_", part, ".npy");
  read_labels({MappedFile(y).bytes(), y.string()}, samples);
  return samples;
}

}  // namespace

bool has_npy(const std::filesystem::path& folder) {
  std::error_code error;
  for (const char* const name : {"x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"}) {
    if (std::filesystem::exists(folder / name, error)) return true;
  }
  return false;
}

Dataset read_npz(const std::string& name, const std::filesystem::path& path) {
  const Npz npz(path);
  Samples train = read_npz_part(npz, "train");
  Samples test = read_npz_part(npz, "test");
  return make_dataset(name, path, std::move(train), std::move(test));
}

Dataset read_npy_folder(const std::string& name, const std::filesystem::path& folder) {
  Samples train = read_npy_part(folder, "train");
  Samples test = read_npy_part(folder, "test");
  return make_dataset(name, folder, std::move(train), std::move(test));
}

}  // namespace lastbit
