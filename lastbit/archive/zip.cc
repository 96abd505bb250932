#include "lastbit/archive/zip.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "lastbit/archive/inflate.h"
#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// The records of a zip file, by their signatures and the sizes of their fixed parts
// (PKWARE, APPNOTE 6.3, 4.3.7, 4.3.12 and 4.3.14 to 4.3.16).
constexpr std::uint32_t kLocal = 0x04034b50;
constexpr std::size_t kLocalSize = 30;
constexpr std::uint32_t kCentral = 0x02014b50;
constexpr std::size_t kCentralSize = 46;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::size_t kEndSize = 22;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::size_t kEnd64Size = 56;
constexpr std::uint32_t kLocator = 0x07064b50;
constexpr std::size_t kLocatorSize = 20;

// A field that holds this has its value in a zip64 record (4.5.3).
constexpr std::uint64_t kInZip64 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kCountInZip64 = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint64_t kZip64Field = 1;

constexpr unsigned kEncrypted = 1;
constexpr unsigned kStored = 0;
constexpr unsigned kDeflated = 8;

std::uint64_t number(std::span<const std::byte> bytes, std::size_t at, std::size_t size) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) {
    value = value << 8U | std::to_integer<std::uint64_t>(bytes[at + i]);
  }
  return value;
}

// Whether `size` bytes lie in the first `end` of a file, at `offset`.
bool lies_before(std::uint64_t end, std::uint64_t offset, std::uint64_t size) noexcept {
  return offset <= end && size <= end - offset;
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

// Where the list of entries lies.
struct List {
  std::uint64_t count = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
  std::uint64_t end = 0;  // where the end records begin
  bool whole = false;     // not a part of a split archive
};

// Nothing where the fields are said to be in a zip64 record that is not there.
std::optional<List> find_list(std::span<const std::byte> bytes, std::size_t end) noexcept {
  List list{.count = number(bytes, end + 10, 2),
            .size = number(bytes, end + 12, 4),
            .offset = number(bytes, end + 16, 4),
            .end = end,
            .whole = number(bytes, end + 4, 4) == 0 &&
                     number(bytes, end + 8, 2) == number(bytes, end + 10, 2)};
  if (list.count != kCountInZip64 && list.size != kInZip64 && list.offset != kInZip64) return list;
  if (end < kLocatorSize || number(bytes, end - kLocatorSize, 4) != kLocator) return std::nullopt;
  const std::uint64_t at = number(bytes, end - kLocatorSize + 8, 8);
  if (!lies_before(end - kLocatorSize, at, kEnd64Size) || number(bytes, at, 4) != kEnd64) {
    return std::nullopt;
  }
  return List{.count = number(bytes, at + 32, 8),
              .size = number(bytes, at + 40, 8),
              .offset = number(bytes, at + 48, 8),
              .end = at,
              .whole = number(bytes, at + 16, 8) == 0 &&
                       number(bytes, at + 24, 8) == number(bytes, at + 32, 8)};
}

// Takes the fields that did not fit from the extra fields of an entry's row. False where one of
// them is missing.
bool widen(Zip::Entry& entry, std::span<const std::byte> extra) noexcept {
  std::span<const std::byte> wide;
  while (extra.size() >= 4 && wide.empty()) {
    const std::size_t size = std::min<std::size_t>(number(extra, 2, 2), extra.size() - 4);
    if (number(extra, 0, 2) == kZip64Field) wide = extra.subspan(4, size);
    extra = extra.subspan(4 + size);
  }
  for (std::uint64_t* const field : {&entry.size, &entry.packed_size, &entry.offset}) {
    if (*field != kInZip64) continue;
    if (wide.size() < 8) return false;
    *field = number(wide, 0, 8);
    wide = wide.subspan(8);
  }
  return true;
}

std::uint32_t checksum_of(std::span<const std::byte> bytes) noexcept {
  const auto* const data = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<std::uint32_t>(::crc32_z(0, data, bytes.size()));
}

}  // namespace

Zip::Zip(std::span<const std::byte> bytes, std::string where)
    : bytes_(bytes), where_(std::move(where)) {
  const auto fail = [&](const auto&... what) { throw FormatError(cat(where_, " ", what...)); };
  const std::optional<std::size_t> end = find_end(bytes);
  if (!end) fail("is no zip archive or is cut off: it has no end-of-archive record");
  const std::optional<List> found = find_list(bytes, *end);
  if (!found) fail("is a zip64 archive without its end-of-archive record");
  if (!found->whole) fail("is one part of a split archive");
  if (!lies_before(found->end, found->offset, found->size)) {
    fail("has its list of entries at ",
         found->offset,
         ", of ",
         found->size,
         " bytes, outside the file's ",
         bytes.size());
  }
  const std::span<const std::byte> list = bytes.subspan(found->offset, found->size);
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < found->count; ++i) {
    if (list.size() - at < kCentralSize || number(list, at, 4) != kCentral) {
      fail("has a damaged list of entries: entry ", i, " of ", found->count, " is missing");
    }
    const std::size_t name_size = number(list, at + 28, 2);
    const std::size_t extra_size = number(list, at + 30, 2);
    const std::size_t whole = kCentralSize + name_size + extra_size + number(list, at + 32, 2);
    if (list.size() - at < whole) fail("has a damaged list of entries: entry ", i, " is cut off");
    const auto* const name = reinterpret_cast<const char*>(list.data() + at + kCentralSize);
    entries_.push_back({.name = std::string(name, name_size),
                        .flags = static_cast<unsigned>(number(list, at + 8, 2)),
                        .method = static_cast<unsigned>(number(list, at + 10, 2)),
                        .checksum = static_cast<std::uint32_t>(number(list, at + 16, 4)),
                        .packed_size = number(list, at + 20, 4),
                        .size = number(list, at + 24, 4),
                        .offset = number(list, at + 42, 4)});
    if (!widen(entries_.back(), list.subspan(at + kCentralSize + name_size, extra_size))) {
      fail("has a damaged list of entries: entry ", i, " lacks its zip64 sizes");
    }
    at += whole;
  }
}

const Zip::Entry* Zip::find(std::string_view name) const noexcept {
  const auto found = std::find_if(
      entries_.begin(), entries_.end(), [&](const Entry& e) { return e.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

std::span<const std::byte> Zip::packed(const Entry& entry) const {
  const auto fail = [&](const auto&... what) {
    throw FormatError(cat(where_, ": ", entry.name, " ", what...));
  };
  if ((entry.flags & kEncrypted) != 0) fail("is encrypted");
  if (!lies_before(bytes_.size(), entry.offset, kLocalSize) ||
      number(bytes_, entry.offset, 4) != kLocal) {
    fail("is not at byte ", entry.offset, " of the file's ", bytes_.size());
  }
  const std::uint64_t begin = entry.offset + kLocalSize + number(bytes_, entry.offset + 26, 2) +
                              number(bytes_, entry.offset + 28, 2);
  if (!lies_before(bytes_.size(), begin, entry.packed_size)) {
    fail("is cut off: it has ",
         entry.packed_size,
         " bytes from byte ",
         begin,
         " of the file's ",
         bytes_.size());
  }
  return bytes_.subspan(begin, entry.packed_size);
}

std::vector<std::byte> Zip::read(const Entry& entry) const {
  const std::span<const std::byte> from = packed(entry);
  const std::string where = cat(where_, ": ", entry.name);
  std::vector<std::byte> bytes;
  if (entry.method == kStored) {
    if (entry.size != from.size()) {
      throw FormatError(cat(where, " is stored in ", from.size(), " bytes, expected ", entry.size));
    }
    bytes.assign(from.begin(), from.end());
  } else if (entry.method == kDeflated) {
    if (entry.size / kMaxInflation > from.size()) {
      throw FormatError(cat(where,
                            " has ",
                            from.size(),
                            " packed bytes, too few for the ",
                            entry.size,
                            " it promises"));
    }
    Inflater inflater(from, Wrapping::kNone, where);
    // One more byte than promised, to see that nothing follows.
    bytes.resize(entry.size + 1);
    const std::size_t got = inflater.read(bytes);
    if (got != entry.size) {
      throw FormatError(cat(where,
                            " unpacks to ",
                            got > entry.size ? "more than " : "",
                            std::min<std::uint64_t>(got, entry.size),
                            " bytes, expected ",
                            entry.size));
    }
    bytes.resize(entry.size);
  } else {
    throw FormatError(
        cat(where, " is packed by method ", entry.method, ", expected 0 (stored) or 8 (deflated)"));
  }
  if (checksum_of(bytes) != entry.checksum) {
    throw FormatError(cat(
        where, " is damaged: its CRC-32 is ", checksum_of(bytes), ", expected ", entry.checksum));
  }
  return bytes;
}

}  // namespace lastbit
