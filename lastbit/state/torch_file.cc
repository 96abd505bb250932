#include "lastbit/state/torch_file.h"

#include <cstring>
#include <map>
#include <span>
#include <string_view>
#include <utility>

#include "lastbit/archive/zip.h"
#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/state/elements.h"
#include "lastbit/state/pickle.h"
#include "lastbit/state/torch_tensors.h"

namespace lastbit {
namespace {

using Kind = PickleValue::Kind;

// The first pickle of a legacy file: 0x1950a86a20f9469cfc6c, an integer of ten bytes.
constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::int64_t kLegacyVersion = 1001;

std::string named(const std::string& where, const TorchTensor& tensor) {
  return cat(where, ": tensor '", printable(tensor.name), "'");
}

std::size_t unit_of(const TorchStorage& storage) noexcept {
  return storage.type == DType::kUndefined ? 1 : element_size(storage.type);
}

void check_storage(std::size_t size, const TorchTensor& tensor, const std::string& where) {
  const TorchStorage& storage = tensor.storage;
  if (size / unit_of(storage) == static_cast<std::uint64_t>(storage.count) &&
      size % unit_of(storage) == 0) {
    return;
  }
  throw FormatError(cat(named(where, tensor),
                        " has a storage of ",
                        size,
                        " bytes, expected ",
                        storage.count,
                        " times ",
                        unit_of(storage)));
}

std::vector<float> floats_of(std::span<const std::byte> storage,
                             const TorchTensor& tensor,
                             const std::string& where) {
  check_storage(storage.size(), tensor, where);
  return to_floats(
      storage, tensor.type, tensor.shape, tensor.strides, tensor.offset, named(where, tensor));
}

std::vector<std::byte> read_entry(const Zip& zip,
                                  const std::string& name,
                                  const std::string& where) {
  const Zip::Entry* const entry = zip.find(name);
  if (entry == nullptr) throw FormatError(cat(where, " lacks the entry ", printable(name)));
  return zip.read(*entry);
}

// "net/" of the entry "net/data.pkl".
std::string prefix_of(const Zip& zip, const std::string& where) {
  constexpr std::string_view kPickle = "data.pkl";
  for (const Zip::Entry& entry : zip.entries()) {
    if (!entry.name.ends_with(kPickle)) continue;
    std::string prefix = entry.name.substr(0, entry.name.size() - kPickle.size());
    if (prefix.find('/') + 1 == prefix.size()) return prefix;
  }
  throw FormatError(
      cat(where, " is a zip archive without data.pkl, expected a file of torch.save"));
}

// Pickles, one after another.
class PickleFile {
 public:
  PickleFile(std::span<const std::byte> bytes, std::string where)
      : bytes_(bytes), where_(std::move(where)) {}

  Pickle next() {
    Pickle pickle(bytes_, where_);
    bytes_ = bytes_.subspan(pickle.size());
    return pickle;
  }
  std::span<const std::byte> rest() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
  std::string where_;
};

void check_legacy_start(PickleFile& pickles, const std::string& where) {
  const Pickle version = pickles.next();
  if (version.root().kind != Kind::kInteger || version.root().integer != kLegacyVersion) {
    throw FormatError(
        cat(where, " has another version of PyTorch's legacy format than ", kLegacyVersion));
  }
  const Pickle system = pickles.next();
  const PickleValue* const little = find_item(system.root(), "little_endian");
  if (little == nullptr || little->kind != Kind::kBool) {
    throw FormatError(cat(where, " does not say whether it is little-endian"));
  }
  if (little->integer == 0) {
    throw FormatError(cat(where, " was written by a big-endian machine, expected little-endian"));
  }
}

// The bytes of the storages that the keys name, by key. Each is its number of elements, in eight
// bytes, and the elements, whose size is the pickle's to say.
using Storages = std::map<std::string_view, std::span<const std::byte>>;
Storages read_storages(const Pickle& pickle,
                       const PickleValue& keys,
                       std::span<const std::byte> bytes,
                       const std::string& where) {
  std::map<std::string_view, TorchStorage> promised;
  for (const PickleValue* const reference : pickle.references()) {
    const TorchStorage storage = torch_storage(*reference, where);
    const TorchStorage& first = promised.emplace(storage.key, storage).first->second;
    if (first.type != storage.type || first.count != storage.count) {
      throw FormatError(cat(where, " gives the storage ", printable(storage.key), " two sizes"));
    }
  }
  if (keys.kind != Kind::kList) throw FormatError(cat(where, " has no list of its storages"));
  Storages storages;
  for (const PickleValue* const key : keys.items) {
    const auto found = key->kind == Kind::kText ? promised.find(key->text) : promised.end();
    if (found == promised.end()) {
      throw FormatError(cat(where, " lists a storage that no tensor lies in"));
    }
    const TorchStorage& storage = found->second;
    std::int64_t count = -1;
    if (bytes.size() >= sizeof(count)) {
      std::memcpy(&count, bytes.data(), sizeof(count));
      bytes = bytes.subspan(sizeof(count));
    }
    const std::size_t room = bytes.size() / unit_of(storage);
    if (count != storage.count || static_cast<std::uint64_t>(count) > room) {
      throw FormatError(cat(where,
                            " is cut off or damaged: its storage ",
                            printable(storage.key),
                            " has ",
                            count < 0 ? "no size" : cat(count, " elements"),
                            ", expected ",
                            storage.count,
                            ", and the file has room for ",
                            room));
    }
    const std::size_t size = static_cast<std::size_t>(count) * unit_of(storage);
    storages[storage.key] = bytes.first(size);
    bytes = bytes.subspan(size);
  }
  return storages;
}

std::vector<StateTensor> read_zip(std::span<const std::byte> bytes,
                                  const std::shared_ptr<const void>& owner,
                                  const std::string& where) {
  const auto zip = std::make_shared<const Zip>(bytes, where);
  const std::string prefix = prefix_of(*zip, where);
  if (zip->find(prefix + "constants.pkl") != nullptr) {
    throw FormatError(
        cat(where, " is a TorchScript program, expected torch.save(model.state_dict(), ...)"));
  }
  if (zip->find(prefix + "byteorder") != nullptr) {
    const std::vector<std::byte> order = read_entry(*zip, prefix + "byteorder", where);
    const std::string_view text(reinterpret_cast<const char*>(order.data()), order.size());
    if (text != "little") {
      throw FormatError(cat(where, " has the byte order '", printable(text), "', expected little"));
    }
  }
  const std::vector<std::byte> program = read_entry(*zip, prefix + "data.pkl", where);
  const Pickle pickle(program, where);
  std::vector<StateTensor> result;
  for (TorchTensor& tensor : torch_tensors(pickle.root(), where)) {
    // The pickle goes; what is kept is the entry's name.
    std::string entry = cat(prefix, "data/", tensor.storage.key);
    tensor.storage.key = {};
    StateTensor item{.name = tensor.name, .type = tensor.type, .shape = tensor.shape, .read = {}};
    item.read = [owner, zip, where, entry = std::move(entry), tensor = std::move(tensor)] {
      return floats_of(read_entry(*zip, entry, where), tensor, where);
    };
    result.push_back(std::move(item));
  }
  return result;
}

std::vector<StateTensor> read_legacy(std::span<const std::byte> bytes,
                                     const std::shared_ptr<const void>& owner,
                                     const std::string& where) {
  PickleFile pickles(bytes, where);
  {
    const Pickle magic = pickles.next();
    if (magic.root().kind != Kind::kLong || magic.root().text != kMagic) {
      throw FormatError(cat(where, " is a pickle, but no file of torch.save"));
    }
  }
  check_legacy_start(pickles, where);
  const Pickle pickle = pickles.next();
  std::vector<TorchTensor> tensors = torch_tensors(pickle.root(), where);
  const Pickle keys = pickles.next();
  const Storages storages = read_storages(pickle, keys.root(), pickles.rest(), where);
  std::vector<StateTensor> result;
  for (TorchTensor& tensor : tensors) {
    const auto storage = storages.find(tensor.storage.key);
    if (storage == storages.end()) {
      throw FormatError(cat(named(where, tensor), " has a storage that the file lacks"));
    }
    StateTensor item{.name = tensor.name, .type = tensor.type, .shape = tensor.shape, .read = {}};
    item.read = [owner, where, elements = storage->second, tensor = std::move(tensor)] {
      return floats_of(elements, tensor, where);
    };
    result.push_back(std::move(item));
  }
  return result;
}

}  // namespace

std::vector<StateTensor> read_torch(std::span<const std::byte> bytes,
                                    const std::shared_ptr<const void>& owner,
                                    const std::string& where) {
  constexpr std::string_view kZip = "PK\x03\x04";
  constexpr std::byte kPickle{0x80};
  if (bytes.size() >= kZip.size() && std::memcmp(bytes.data(), kZip.data(), kZip.size()) == 0) {
    return read_zip(bytes, owner, where);
  }
  if (!bytes.empty() && bytes.front() == kPickle) return read_legacy(bytes, owner, where);
  throw FormatError(cat(where,
                        " is neither a zip archive nor a pickle, expected a PyTorch state dict, or "
                        "a file that ends in .safetensors or .onnx"));
}

}  // namespace lastbit
