#pragma once

#include <string>
#include <utility>
#include <vector>

#include <zlib.h>

#include "tests/data/files.h"

namespace lastbit {

/// A zip64 archive of stored entries, each aligned to 64 bytes by a padded extra field, as PyTorch
/// writes them. All sizes and offsets are in zip64 fields.
inline std::string zip64(const std::vector<std::pair<std::string, std::string>>& entries) {
  const std::string unknown = little(0xffffffffU, 4);
  std::string file;
  std::string list;
  for (const auto& [name, bytes] : entries) {
    const auto* const data = reinterpret_cast<const Bytef*>(bytes.data());
    const std::string start = little(45, 2) + little(0, 2) + little(0, 2) + little(0, 4) +
                              little(::crc32_z(0, data, bytes.size()), 4) + unknown + unknown +
                              little(name.size(), 2);
    const std::string sizes = little(bytes.size(), 8) + little(bytes.size(), 8);
    list += "PK\x01\x02" + little(45, 2) + start + little(28, 2) + little(0, 2) + little(0, 2) +
            little(0, 2) + little(0, 4) + unknown + name + little(1, 2) + little(24, 2) + sizes +
            little(file.size(), 8);
    const std::string fields = little(1, 2) + little(16, 2) + sizes;
    const std::size_t before = file.size() + 30 + name.size() + fields.size() + 4;
    const std::size_t pad = (64 - before % 64) % 64;
    file += "PK\x03\x04" + start + little(fields.size() + 4 + pad, 2) + name + fields + "FB" +
            little(pad, 2) + std::string(pad, 'Z') + bytes;
  }
  const std::string count = little(entries.size(), 8);
  return file + list + "PK\x06\x06" + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 4) +
         little(0, 4) + count + count + little(list.size(), 8) + little(file.size(), 8) +
         "PK\x06\x07" + little(0, 4) + little(file.size() + list.size(), 8) + little(1, 4) +
         "PK\x05\x06" + little(0, 4) + little(0xffff, 2) + little(0xffff, 2) + unknown + unknown +
         little(0, 2);
}

}  // namespace lastbit
