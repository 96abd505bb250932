#include "lastbit/data/npz.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/inflate.h"

namespace lastbit {
namespace {

// The records of a zip file, by their signatures and the sizes of their fixed parts
// (PKWARE, APPNOTE 6.3, 4.3.7, 4.3.12 and 4.3.16).
constexpr std::uint32_t kLocal = 0x04034b50;
constexpr std::size_t kLocalSize = 30;
constexpr std::uint32_t kCentral = 0x02014b50;
constexpr std::size_t kCentralSize = 46;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::size_t kEndSize = 22;

constexpr std::uint32_t kZip64 = std::numeric_limits<std::uint32_t>::max();
constexpr unsigned kEncrypted = 1;
constexpr unsigned kStored = 0;
constexpr unsigned kDeflated = 8;

std::uint32_t number(std::span<const std::byte> bytes, std::size_t at, std::size_t size) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = size; i-- > 0;) {
    value = value << 8U | std::to_integer<std::uint32_t>(bytes[at + i]);
  }
  return value;
}

// The end record is followed by a comment of its own choice of length, so it is searched backwards.
std::optional<std::size_t> find_end(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < kEndSize) return std::nullopt;
  const std::size_t latest = bytes.size() - kEndSize;
  const std::size_t comment = std::min<std::size_t>(latest, 0xffff);
  for (std::size_t back = 0; back <= comment; ++back) {
    const std::size_t at = latest - back;
    if (number(bytes, at, 4) == kEnd && number(bytes, at + 20, 2) == back) return at;
  }
  return std::nullopt;
}

std::uint32_t checksum_of(std::span<const std::byte> bytes) noexcept {
  const auto* const data = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<std::uint32_t>(::crc32_z(0, data, bytes.size()));
}

}  // namespace

Npz::Npz(const std::filesystem::path& path) : path_(path), file_(path) {
  const std::span<const std::byte> bytes = file_.bytes();
  const auto fail = [&](const auto&... what) {
    throw FormatError(cat("[npz] ", path_.string(), " ", what...));
  };
  const std::optional<std::size_t> end = find_end(bytes);
  if (!end) fail("is no npz file or is cut off: it has no end-of-archive record");
  const std::uint32_t count = number(bytes, *end + 10, 2);
  const std::uint32_t size = number(bytes, *end + 12, 4);
  const std::uint32_t offset = number(bytes, *end + 16, 4);
  if (offset == kZip64 || size == kZip64 || count == 0xffff) {
    fail("is a zip64 archive, expected a plain one below 4 GiB");
  }
  if (number(bytes, *end + 4, 4) != 0 || number(bytes, *end + 8, 2) != count) {
    fail("is one part of a split archive");
  }
  if (offset > *end || size > *end - offset) {
    fail("has its list of entries at ",
         offset,
         ", of ",
         size,
         " bytes, outside the file's ",
         bytes.size());
  }
  const std::span<const std::byte> list = bytes.subspan(offset, size);
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (list.size() - at < kCentralSize || number(list, at, 4) != kCentral) {
      fail("has a damaged list of entries: entry ", i, " of ", count, " is missing");
    }
    const std::size_t name_size = number(list, at + 28, 2);
    const std::size_t whole =
        kCentralSize + name_size + number(list, at + 30, 2) + number(list, at + 32, 2);
    if (list.size() - at < whole) fail("has a damaged list of entries: entry ", i, " is cut off");
    const auto* const name = reinterpret_cast<const char*>(list.data() + at + kCentralSize);
    entries_.push_back({.name = std::string(name, name_size),
                        .flags = number(list, at + 8, 2),
                        .method = number(list, at + 10, 2),
                        .checksum = number(list, at + 16, 4),
                        .packed_size = number(list, at + 20, 4),
                        .size = number(list, at + 24, 4),
                        .offset = number(list, at + 42, 4)});
    at += whole;
  }
}

const Npz::Entry* Npz::find(std::string_view array) const noexcept {
  const auto same = [&](const Entry& entry) {
    return entry.name.size() == array.size() + 4 && entry.name.starts_with(array) &&
           entry.name.ends_with(".npy");
  };
  const auto found = std::find_if(entries_.begin(), entries_.end(), same);
  return found == entries_.end() ? nullptr : &*found;
}

bool Npz::has(std::string_view array) const noexcept { return find(array) != nullptr; }

std::vector<std::string> Npz::arrays() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) {
    if (entry.name.ends_with(".npy")) names.push_back(entry.name.substr(0, entry.name.size() - 4));
  }
  return names;
}

std::span<const std::byte> Npz::packed(const Entry& entry) const {
  const std::span<const std::byte> bytes = file_.bytes();
  const auto fail = [&](const auto&... what) {
    throw FormatError(cat("[npz] ", path_.string(), ": ", entry.name, " ", what...));
  };
  if ((entry.flags & kEncrypted) != 0) fail("is encrypted");
  if (entry.size == kZip64 || entry.packed_size == kZip64 || entry.offset == kZip64) {
    fail("is larger than 4 GiB (zip64), which is not read");
  }
  if (bytes.size() < kLocalSize || entry.offset > bytes.size() - kLocalSize ||
      number(bytes, entry.offset, 4) != kLocal) {
    fail("is not at byte ", entry.offset, " of the file's ", bytes.size());
  }
  const std::uint64_t begin = std::uint64_t{entry.offset} + kLocalSize +
                              number(bytes, entry.offset + 26, 2) +
                              number(bytes, entry.offset + 28, 2);
  if (begin > bytes.size() || entry.packed_size > bytes.size() - begin) {
    fail(
        "is cut off: it ends at byte ", begin + entry.packed_size, " of the file's ", bytes.size());
  }
  return bytes.subspan(begin, entry.packed_size);
}

std::vector<std::byte> Npz::read(std::string_view array) const {
  const Entry* const entry = find(array);
  if (entry == nullptr) {
    throw FormatError(cat("[npz] ",
                          path_.string(),
                          " has no array ",
                          array,
                          "; it has: ",
                          entries_.empty() ? "none" : join(arrays())));
  }
  const std::span<const std::byte> from = packed(*entry);
  const std::string where = cat("[npz] ", path_.string(), ": ", entry->name);
  std::vector<std::byte> bytes;
  if (entry->method == kStored) {
    if (entry->size != from.size()) {
      throw FormatError(
          cat(where, " is stored in ", from.size(), " bytes, expected ", entry->size));
    }
    bytes.assign(from.begin(), from.end());
  } else if (entry->method == kDeflated) {
    if (entry->size / kMaxInflation > from.size()) {
      throw FormatError(cat(where,
                            " has ",
                            from.size(),
                            " packed bytes, too few for the ",
                            entry->size,
                            " it promises"));
    }
    Inflater inflater(from, Wrapping::kNone, where);
    // One more byte than promised, to see that nothing follows.
    bytes.resize(std::size_t{entry->size} + 1);
    const std::size_t got = inflater.read(bytes);
    if (got != entry->size) {
      throw FormatError(cat(where,
                            " unpacks to ",
                            got > entry->size ? "more than " : "",
                            std::min<std::size_t>(got, entry->size),
                            " bytes, expected ",
                            entry->size));
    }
    bytes.resize(entry->size);
  } else {
    throw FormatError(cat(
        where, " is packed by method ", entry->method, ", expected 0 (stored) or 8 (deflated)"));
  }
  if (checksum_of(bytes) != entry->checksum) {
    throw FormatError(cat(
        where, " is damaged: its CRC-32 is ", checksum_of(bytes), ", expected ", entry->checksum));
  }
  return bytes;
}

}  // namespace lastbit
