#include "lastbit/safetensors/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/safetensors/header.h"

namespace lastbit {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied as they are");

constexpr std::size_t kLengthBytes = 8;
// The limit of the format's own library.
constexpr std::uint64_t kMostHeader = 100'000'000;

void check_size(const SafetensorsEntry& entry, const std::string& where) {
  const std::optional<std::int64_t> count = checked_element_count(entry.shape);
  const bool ascending = entry.begin <= entry.end;
  if (count && ascending &&
      entry.end - entry.begin == static_cast<std::uint64_t>(*count) * element_size(entry.type)) {
    return;
  }
  throw FormatError(cat("[safetensors] ",
                        where,
                        ": tensor '",
                        entry.name,
                        "' of ",
                        safetensors_name(entry.type),
                        " ",
                        to_string(entry.shape),
                        " has the bytes from ",
                        entry.begin,
                        " to ",
                        entry.end,
                        count ? cat(", expected ",
                                    static_cast<std::uint64_t>(*count) * element_size(entry.type),
                                    " of them")
                              : ", but no file holds that shape"));
}

// Every byte belongs to one tensor.
void check_places(std::vector<SafetensorsEntry>& entries,
                  std::uint64_t size,
                  const std::string& where) {
  std::ranges::sort(
      entries, {}, [](const SafetensorsEntry& entry) { return std::pair(entry.begin, entry.end); });
  std::uint64_t next = 0;
  for (const SafetensorsEntry& entry : entries) {
    check_size(entry, where);
    if (entry.begin != next) {
      throw FormatError(cat("[safetensors] ",
                            where,
                            ": tensor '",
                            entry.name,
                            "' begins at byte ",
                            entry.begin,
                            " of the data, expected ",
                            next,
                            ", where the one before it ends"));
    }
    next = entry.end;
  }
  if (next != size) {
    throw FormatError(cat("[safetensors] ",
                          where,
                          " has ",
                          size,
                          " bytes of data, but its tensors end at byte ",
                          next));
  }
}

std::string header_text(const Safetensors& content,
                        const std::vector<std::pair<std::string_view, const Tensor*>>& order) {
  auto header = nlohmann::json::object();
  if (!content.metadata.empty()) header[std::string(kSafetensorsMetadata)] = content.metadata;
  std::uint64_t begin = 0;
  for (const auto& [name, tensor] : order) {
    const std::uint64_t end = begin + tensor->bytes().size();
    header[std::string(name)] = {{"dtype", safetensors_name(tensor->type())},
                                 {"shape", tensor->shape()},
                                 {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

}  // namespace

Safetensors parse_safetensors(std::span<const std::byte> bytes, const std::string& where) {
  std::uint64_t length = 0;
  if (bytes.size() >= kLengthBytes) std::memcpy(&length, bytes.data(), kLengthBytes);
  if (bytes.size() < kLengthBytes || length > bytes.size() - kLengthBytes || length > kMostHeader) {
    throw FormatError(cat("[safetensors] ",
                          where,
                          bytes.size() < kLengthBytes
                              ? cat(" has ", bytes.size(), " bytes, expected at least 8")
                              : cat(" has ",
                                    bytes.size(),
                                    " bytes and asks for a header of ",
                                    length,
                                    ", expected no more than the file has, nor than ",
                                    kMostHeader)));
  }
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + length);
  SafetensorsHeader header = parse_safetensors_header(
      {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length}, where);
  check_places(header.tensors, data.size(), where);
  Safetensors result{.tensors = {}, .metadata = std::move(header.metadata)};
  for (SafetensorsEntry& entry : header.tensors) {
    result.tensors.emplace(std::move(entry.name),
                           Tensor(entry.type,
                                  std::move(entry.shape),
                                  data.subspan(entry.begin, entry.end - entry.begin)));
  }
  return result;
}

Safetensors read_safetensors(const std::filesystem::path& path) {
  const MappedFile file(path);
  return parse_safetensors(file.bytes(), path.string());
}

void write_safetensors(const std::filesystem::path& path, const Safetensors& content) {
  if (content.tensors.contains(std::string(kSafetensorsMetadata))) {
    throw InputError(cat("[safetensors] cannot write ",
                         path.string(),
                         ": a tensor is called '",
                         kSafetensorsMetadata,
                         "', expected any other name"));
  }
  std::vector<std::pair<std::string_view, const Tensor*>> order;
  order.reserve(content.tensors.size());
  for (const auto& [name, tensor] : content.tensors) order.emplace_back(name, &tensor);
  std::ranges::stable_sort(
      order, std::greater<>(), [](const auto& item) { return element_size(item.second->type()); });

  std::string header;
  try {
    header = header_text(content, order);
  } catch (const nlohmann::json::type_error&) {
    throw InputError(cat("[safetensors] cannot write ",
                         path.string(),
                         ": a name or a text of the metadata is not UTF-8"));
  }
  const std::uint64_t length = header.size();
  std::vector<std::string_view> pieces = {{reinterpret_cast<const char*>(&length), sizeof(length)},
                                          header};
  for (const auto& [name, tensor] : order) {
    pieces.emplace_back(reinterpret_cast<const char*>(tensor->bytes().data()),
                        tensor->bytes().size());
  }
  write_file(path, pieces);
}

}  // namespace lastbit
