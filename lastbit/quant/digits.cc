#include "lastbit/quant/digits.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// Radixes above this one have a byte for each digit.
constexpr int kMostRadix = 16;
constexpr std::size_t kMostDigits = 8;

using Digits = std::array<Code, kMostDigits>;

// At [radix][byte], the digits of `byte`, the first one first.
using Table = std::array<std::array<Digits, 256>, kMostRadix + 1>;

Table make_table() {
  Table table{};
  for (unsigned radix = 2; radix <= kMostRadix; ++radix) {
    Digits digits{};
    for (Digits& of_byte : table[radix]) {
      of_byte = digits;
      // The digits of the next byte; divisions would take most of the time of loading a small
      // model.
      for (Code& digit : digits) {
        if (++digit < radix) break;
        digit = 0;
      }
    }
  }
  return table;
}

// Made when first asked for: as a constant it would be a tenth of what the runtime takes.
const Table& table_of_digits() {
  static const Table kTable = make_table();
  return kTable;
}

unsigned power(int radix, std::size_t exponent) noexcept {
  unsigned result = 1;
  for (std::size_t i = 0; i < exponent; ++i) result *= static_cast<unsigned>(radix);
  return result;
}

}  // namespace

int digits_per_byte(int radix) noexcept {
  int digits = 1;
  for (int values = radix; values * radix <= 256; values *= radix) ++digits;
  return digits;
}

std::size_t packed_size(std::size_t count, int radix) noexcept {
  const auto digits = static_cast<std::size_t>(digits_per_byte(radix));
  return count / digits + (count % digits != 0 ? 1 : 0);
}

std::vector<std::uint8_t> pack(std::span<const Code> codes, int radix) {
  const auto digits = static_cast<std::size_t>(digits_per_byte(radix));
  std::vector<std::uint8_t> bytes(packed_size(codes.size(), radix));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto part = codes.subspan(i * digits, std::min(digits, codes.size() - i * digits));
    unsigned value = 0;
    for (std::size_t k = part.size(); k > 0; --k) {
      value = value * static_cast<unsigned>(radix) + part[k - 1];
    }
    bytes[i] = static_cast<std::uint8_t>(value);
  }
  return bytes;
}

void unpack(std::span<const std::uint8_t> bytes,
            int radix,
            std::size_t first,
            std::span<Code> codes) noexcept {
  if (codes.empty()) return;
  if (radix > kMostRadix) {
    std::memcpy(codes.data(), bytes.data() + first, codes.size());
    return;
  }
  const std::array<Digits, 256>& table = table_of_digits()[static_cast<std::size_t>(radix)];
  const auto digits = static_cast<std::size_t>(digits_per_byte(radix));
  const std::uint8_t* byte = bytes.data() + first / digits;
  Code* out = codes.data();
  std::size_t left = codes.size();
  if (const std::size_t skip = first % digits; skip != 0) {
    const std::size_t part = std::min(digits - skip, left);
    std::memcpy(out, table[*byte++].data() + skip, part);
    out += part;
    left -= part;
  }
  // A copy of constant size is one move; what it writes too much, the next copy overwrites.
  for (; left >= kMostDigits; left -= digits, out += digits) {
    std::memcpy(out, table[*byte++].data(), kMostDigits);
  }
  while (left > 0) {
    const std::size_t part = std::min(digits, left);
    std::memcpy(out, table[*byte++].data(), part);
    out += part;
    left -= part;
  }
}

void check_packed(std::span<const std::uint8_t> bytes, int radix, std::size_t count) {
  const std::size_t size = packed_size(count, radix);
  if (bytes.size() != size) {
    throw FormatError(cat("[packed codes] ",
                          bytes.size(),
                          " bytes, expected ",
                          size,
                          " for ",
                          count,
                          " digits of radix ",
                          radix));
  }
  if (bytes.empty()) return;
  const auto digits = static_cast<std::size_t>(digits_per_byte(radix));
  const unsigned limit = power(radix, digits);
  // In this form compilers compare many bytes at once.
  std::uint8_t most = 0;
  for (const std::uint8_t byte : bytes) most = std::max(most, byte);
  if (most >= limit) {
    const auto largest = std::find(bytes.begin(), bytes.end(), most);
    throw FormatError(cat("[packed codes] bytes[",
                          largest - bytes.begin(),
                          "] is ",
                          static_cast<unsigned>(*largest),
                          ", expected less than ",
                          limit,
                          " (",
                          digits,
                          " digits of radix ",
                          radix,
                          ")"));
  }
  const std::size_t in_last = count % digits;
  if (in_last != 0 && bytes.back() >= power(radix, in_last)) {
    throw FormatError(cat("[packed codes] the last byte is ",
                          static_cast<unsigned>(bytes.back()),
                          ", expected less than ",
                          power(radix, in_last),
                          ": the filling after digit ",
                          count,
                          " is not zero"));
  }
}

}  // namespace lastbit
