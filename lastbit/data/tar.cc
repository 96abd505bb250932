#include "lastbit/data/tar.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "lastbit/archive/inflate.h"
#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr std::size_t kBlock = 512;
using Block = std::array<std::byte, kBlock>;

// Where a header holds its fields: offset and length.
constexpr std::pair<std::size_t, std::size_t> kName = {0, 100};
constexpr std::pair<std::size_t, std::size_t> kSize = {124, 12};
constexpr std::pair<std::size_t, std::size_t> kChecksum = {148, 8};

std::string_view field(const Block& block, std::pair<std::size_t, std::size_t> where) {
  const std::string_view text(reinterpret_cast<const char*>(block.data()) + where.first,
                              where.second);
  return text.substr(0, text.find('\0'));
}

// A number in octal digits with blanks around it; -1 for anything else.
std::int64_t octal(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return -1;
  text = text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
  std::int64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '7') return -1;
    value = value * 8 + (digit - '0');
  }
  return value;
}

bool has_right_checksum(const Block& block) noexcept {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const bool own = i >= kChecksum.first && i < kChecksum.first + kChecksum.second;
    sum += own ? ' ' : std::to_integer<int>(block[i]);
  }
  return octal(field(block, kChecksum)) == sum;
}

bool is_empty(const Block& block) noexcept {
  return std::all_of(
      block.begin(), block.end(), [](std::byte byte) { return byte == std::byte{}; });
}

}  // namespace

std::map<std::string, std::vector<std::byte>, std::less<>> read_tar_gz(
    const std::filesystem::path& path, std::span<const std::string_view> names) {
  const MappedFile file(path);
  const std::string where = cat("[tar] ", path.string());
  Inflater inflater(file.bytes(), Wrapping::kGzip, where);
  std::map<std::string, std::vector<std::byte>, std::less<>> found;
  const auto require = [&](std::span<std::byte> out, std::string_view what) {
    if (inflater.read(out) == out.size()) return;
    throw FormatError(cat(where, " is cut off within ", what));
  };
  std::vector<std::byte> skipped(std::size_t{1} << 16U);
  while (true) {
    Block header;
    const std::size_t got = inflater.read(header);
    if (got == 0 || (got == kBlock && is_empty(header))) return found;
    if (got < kBlock) throw FormatError(cat(where, " is cut off within a header"));
    const std::int64_t size = octal(field(header, kSize));
    if (!has_right_checksum(header) || size < 0) {
      throw FormatError(cat(where, " holds a header that is damaged or no tar header"));
    }
    const std::string_view full = field(header, kName);
    const std::string name(full.substr(full.rfind('/') + 1));
    auto left = static_cast<std::uint64_t>(size);
    if (left / kMaxInflation > file.bytes().size()) {
      throw FormatError(cat(where, ": ", name, " promises ", size, " bytes, more than can be"));
    }
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      std::vector<std::byte> bytes(left);
      require(bytes, name);
      found[name] = std::move(bytes);
      left = 0;
    }
    left += (kBlock - static_cast<std::uint64_t>(size) % kBlock) % kBlock;
    while (left > 0) {
      const std::size_t piece = std::min<std::uint64_t>(left, skipped.size());
      require(std::span(skipped).first(piece), name);
      left -= piece;
    }
  }
}

}  // namespace lastbit
