#include "lastbit/base/checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace lastbit {

std::uint64_t checksum(std::span<const std::byte> bytes) noexcept {
  std::uint64_t sum = 0xcbf2'9ce4'8422'2325;
  while (!bytes.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(bytes.size(), sizeof word);
    std::memcpy(&word, bytes.data(), size);
    sum = std::rotl((sum ^ word) * 0x100'0000'01b3, 29);
    bytes = bytes.subspan(size);
  }
  return sum;
}

}  // namespace lastbit
