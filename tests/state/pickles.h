#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tests/archive/archives.h"
#include "tests/data/files.h"

// Pickles as Python writes them, piece by piece, and the files of torch.save around them.

namespace lastbit::pickles {

inline std::string text(const std::string& value) { return "X" + little(value.size(), 4) + value; }
inline std::string integer(std::int64_t value) { return "\x8a\x08" + little(value, 8); }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string real(double value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  const std::string bytes = little(bits, 8);
  return "G" + std::string(bytes.rbegin(), bytes.rend());
}

inline std::string tuple(std::initializer_list<std::string> items) {
  std::string result = "(";
  for (const std::string& item : items) result += item;
  return result + "t";
}
inline std::string sizes(const std::vector<std::int64_t>& values) {
  std::string result = "(";
  for (const std::int64_t value : values) result += integer(value);
  return result + "t";
}
inline std::string call(const std::string& callee, std::initializer_list<std::string> arguments) {
  return callee + tuple(arguments) + "R";
}

using Items = std::vector<std::pair<std::string, std::string>>;

inline std::string filled(const std::string& empty, const Items& items) {
  std::string result = empty + "(";
  for (const auto& [key, value] : items) result += text(key) + value;
  return result + "u";
}
inline std::string dict(const Items& items) { return filled("}", items); }
/// As state_dict() gives them: an OrderedDict with attributes.
inline std::string ordered(const Items& items) {
  const std::string empty = call(global("collections", "OrderedDict"), {});
  return filled(empty, items) + dict({{"_metadata", empty}}) + "b";
}

/// One program: protocol, values, stop.
inline std::string pickle(const std::string& values) { return "\x80\x02" + values + "."; }

inline std::string storage(const std::string& type, const std::string& key, std::int64_t count) {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(count)}) +
         "Q";
}
inline std::string tensor(const std::string& storage,
                          const std::vector<std::int64_t>& shape,
                          const std::vector<std::int64_t>& strides,
                          std::int64_t offset = 0) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage,
               integer(offset),
               sizes(shape),
               sizes(strides),
               "\x89",
               call(global("collections", "OrderedDict"), {})});
}

/// A storage of a file: its key and its elements.
struct Stored {
  std::string key;
  std::int64_t count = 0;
  std::string bytes;
};

inline Stored stored(const std::string& key, const std::vector<float>& values) {
  return {key, static_cast<std::int64_t>(values.size()), raw(values)};
}

/// A file of PyTorch before 1.6.
inline std::string legacy(const std::string& object,
                          const std::vector<Stored>& storages,
                          bool little_endian = true) {
  std::string keys = "](";
  std::string bytes;
  for (const Stored& item : storages) {
    keys += text(item.key);
    bytes += little(item.count, 8) + item.bytes;
  }
  return pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + pickle("M\xe9\x03") +
         pickle(dict({{"protocol_version", integer(1001)},
                      {"little_endian", little_endian ? "\x88" : "\x89"}})) +
         pickle(object) + pickle(keys + "e") + bytes;
}

/// A file of PyTorch since then.
inline std::string zipped(const std::string& object,
                          const std::vector<Stored>& storages,
                          const std::string& order = "little") {
  std::vector<std::pair<std::string, std::string>> entries = {{"net/data.pkl", pickle(object)},
                                                              {"net/byteorder", order}};
  for (const Stored& item : storages) entries.emplace_back("net/data/" + item.key, item.bytes);
  entries.emplace_back("net/version", "3\n");
  return zip64(entries);
}

}  // namespace lastbit::pickles
