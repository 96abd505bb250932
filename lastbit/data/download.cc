#include "lastbit/data/download.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <optional>
#include <system_error>
#include <thread>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/sha256.h"
#include "lastbit/data/transfer.h"

namespace lastbit {
namespace {

constexpr int kMaxRetries = 100;
constexpr double kFirstPause = 0.2;  // seconds
constexpr int kMaxDoublings = 8;

constexpr std::array<RemoteFile, 4> kMnist = {{
    {"train-images-idx3-ubyte.gz",
     "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
     9912422},
    {"train-labels-idx1-ubyte.gz",
     "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
     28881},
    {"t10k-images-idx3-ubyte.gz",
     "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
     1648877},
    {"t10k-labels-idx1-ubyte.gz",
     "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
     4542},
}};

constexpr std::array<RemoteFile, 4> kFashionMnist = {{
    {"train-images-idx3-ubyte.gz",
     "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
     26421880},
    {"train-labels-idx1-ubyte.gz",
     "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
     29515},
    {"t10k-images-idx3-ubyte.gz",
     "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
     4422102},
    {"t10k-labels-idx1-ubyte.gz",
     "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
     5148},
}};

constexpr std::array<RemoteFile, 1> kCifar10 = {{
    {"cifar-10-binary.tar.gz",
     "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
     170052171},
}};

constexpr std::array<RemoteFile, 1> kCifar100 = {{
    {"cifar-100-binary.tar.gz",
     "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
     168513733},
}};

struct RemoteDataset {
  std::string_view name;
  std::string_view mirror;
  std::span<const RemoteFile> files;
};

constexpr std::array<RemoteDataset, 4> kRemote = {{
    {"mnist", "https://ossci-datasets.s3.amazonaws.com/mnist/", kMnist},
    {"fashion-mnist", "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", kFashionMnist},
    {"cifar10", "https://www.cs.toronto.edu/~kriz/", kCifar10},
    {"cifar100", "https://www.cs.toronto.edu/~kriz/", kCifar100},
}};

constexpr std::array<std::string_view, 4> kNames = {
    kRemote[0].name, kRemote[1].name, kRemote[2].name, kRemote[3].name};

bool has_right_hash(const std::filesystem::path& path, const RemoteFile& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  if (std::filesystem::file_size(path, error) != file.size || error) return false;
  return sha256_of_file(path) == file.sha256;
}

void pause(const FetchOptions& options, int attempt) {
  const double seconds = std::ldexp(kFirstPause, std::min(attempt, kMaxDoublings));
  if (options.sleep) {
    options.sleep(seconds);
  } else {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }
}

void discard(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
}

// What has arrived is kept for the next call; an empty file is only litter.
void discard_if_empty(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::file_size(path, error) == 0 && !error) discard(path);
}

// Brings the whole body into `part`, in as many attempts as it takes and the options allow.
void fill(const std::filesystem::path& part,
          const RemoteFile& file,
          const std::string& url,
          const FetchOptions& options) {
  std::error_code error;
  if (std::filesystem::file_size(part, error) == file.size && !error) return;
  TransferRequest request{
      .url = url, .part = part, .size = file.size, .timeout_s = options.timeout_s, .progress = {}};
  if (options.progress) {
    request.progress = [&](std::uint64_t done) {
      options.progress({.file = file.name, .done = done, .size = file.size});
    };
  }
  for (int attempt = 0;; ++attempt) {
    const TransferResult result = transfer(request);
    if (result.end == TransferEnd::kComplete) return;
    if (result.end == TransferEnd::kHopeless) {
      discard_if_empty(part);
      throw InputError(cat("[fetch] ", url, ": ", result.reason));
    }
    if (attempt == options.retries) {
      discard_if_empty(part);
      throw InputError(cat("[fetch] ",
                           url,
                           ": ",
                           result.reason,
                           "; gave up after ",
                           attempt + 1,
                           attempt == 0 ? " attempt" : " attempts"));
    }
    pause(options, attempt);
  }
}

void fetch_file(const RemoteFile& file, const FetchOptions& options) {
  const std::filesystem::path path = options.folder / file.name;
  if (has_right_hash(path, file)) return;
  std::filesystem::path part = path;
  part += ".part";
  const std::string url =
      cat(options.base_url, options.base_url.ends_with('/') ? "" : "/", file.name);
  fill(part, file, url, options);
  const std::string got = sha256_of_file(part);
  if (got != file.sha256) {
    discard(part);
    throw InputError(
        cat("[fetch] ", url, " has SHA-256 ", got, ", expected ", file.sha256, "; it is removed"));
  }
  std::error_code error;
  std::filesystem::rename(part, path, error);
  if (error) throw InputError(cat("[fetch] cannot write ", path.string(), ": ", error.message()));
}

}  // namespace

std::span<const std::string_view> fetchable_datasets() noexcept { return kNames; }

std::filesystem::path fetch_dataset(std::string_view name, const FetchOptions& options) {
  const auto row = std::find_if(kRemote.begin(), kRemote.end(), [&](const RemoteDataset& known) {
    return known.name == name;
  });
  if (row == kRemote.end()) {
    throw InputError(
        cat("[fetch] no data set '", name, "' to download, expected ", join(kNames, " or ")));
  }
  FetchOptions own = options;
  own.folder /= row->name;
  if (own.base_url.empty()) own.base_url = row->mirror;
  fetch_files(row->files, own);
  return own.folder;
}

void fetch_files(std::span<const RemoteFile> files, const FetchOptions& options) {
  if (options.retries < 0 || options.retries > kMaxRetries) {
    throw InputError(
        cat("[fetch] retries is ", options.retries, ", expected 0, ..., ", kMaxRetries));
  }
  // Not below one second: libcurl counts a standstill in whole seconds.
  if (!(options.timeout_s >= 1.0 && options.timeout_s <= 86400.0)) {
    throw InputError(
        cat("[fetch] timeout is ", options.timeout_s, " s, expected 1, ..., 86400 seconds"));
  }
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  if (error) {
    throw InputError(
        cat("[fetch] cannot create the folder ", options.folder.string(), ": ", error.message()));
  }
  for (const RemoteFile& file : files) fetch_file(file, options);
}

}  // namespace lastbit
