#include "lastbit/runtime/byte_lookup_weights.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "lastbit/quant/digits.h"
#include "lastbit/runtime/product_weights.h"

namespace lastbit {
namespace {

// The first of the codes that are read together becomes the lowest bits.
static_assert(std::endian::native == std::endian::little);

std::uint64_t load(const std::uint8_t* from) noexcept {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// The lowest six bits of eight bytes, side by side.
std::uint64_t join_subsets(std::uint64_t bytes) noexcept {
  bytes = (bytes & 0x003F003F003F003F) | (bytes & 0x3F003F003F003F00) >> 2U;
  bytes = (bytes & 0x00000FFF00000FFF) | (bytes & 0x0FFF00000FFF0000) >> 4U;
  return (bytes & 0x0000000000FFFFFF) | (bytes & 0x00FFFFFF00000000) >> 8U;
}

// Writes the subsets of an output, a byte each, to their places. `codes` lie as [channels][taps],
// zeros up to a whole table and eight bytes more.
void find_subsets(const std::uint8_t* codes,
                  std::size_t tables,
                  std::span<const std::uint32_t> places,
                  std::uint8_t* subsets) noexcept {
  const std::size_t taps = places.size() / tables;
  for (std::size_t t = 0; t < tables; ++t, codes += kSubsetInputs * taps) {
    const std::uint32_t* const place = places.data() + t * taps;
    for (std::size_t first = 0; first < taps; first += sizeof(std::uint64_t)) {
      std::uint64_t joined = 0;
#pragma GCC unroll 6
      for (std::size_t j = 0; j < kSubsetInputs; ++j) joined |= load(codes + j * taps + first) << j;
      const std::size_t end = std::min(taps, first + sizeof(std::uint64_t));
      for (std::size_t i = first; i < end; ++i, joined >>= 8U) {
        subsets[place[i]] = static_cast<std::uint8_t>(joined);
      }
    }
  }
}

}  // namespace

ByteLookupWeights::ByteLookupWeights(const LowBitTensor& tensor,
                                     const WeightOrder& order,
                                     std::size_t groups,
                                     std::size_t channels,
                                     std::span<const std::uint32_t> places)
    : outputs_(order.outputs), turns_((places.size() + kTurnTables - 1) / kTurnTables) {
  check_lowbit(tensor);
  words_ = AlignedBytes(groups * blocks() * turns_ * kTurnBytes);

  const std::size_t tables = byte_tables(channels);
  const std::size_t taps = places.size() / tables;
  std::vector<std::uint8_t> codes(tables * kSubsetInputs * taps + sizeof(std::uint64_t));
  std::vector<std::uint8_t> subsets(turns_ * kTurnTables);
  for (std::size_t o = 0; o < groups * outputs_; ++o) {
    unpack(tensor.packed,
           tensor.codebook.size(),
           o * order.output_step,
           {codes.data(), channels * taps});
    find_subsets(codes.data(), tables, places, subsets.data());
    const std::size_t in_group = o % outputs_;
    const std::size_t lane = byte_lane(in_group % kByteOutputs) * sizeof(std::uint16_t);
    int ones = 0;
    std::uint8_t* to = nullptr;
    for (std::size_t turn = 0; turn < turns_; ++turn) {
      std::uint64_t bits = join_subsets(load(subsets.data() + turn * kTurnTables));
      ones += std::popcount(bits);
      if (turn % kMostTurns == 0) {
        to = const_cast<std::uint8_t*>(
                 words(o / outputs_, turn / kMostTurns, in_group / kByteOutputs)) +
             lane;
      }
      for (std::size_t row = 0; row < kTurnWords; ++row, bits >>= 16U) {
        const auto part = static_cast<std::uint16_t>(bits);
        std::memcpy(to, &part, sizeof(part));
        to += kByteWords * kWordBytes;
      }
    }
    scales_.push_back(output_scale(tensor, order, o));
    level_sums_.push_back(2 * ones - static_cast<int>(channels * taps));
  }
}

std::size_t ByteLookupWeights::turns_of(std::size_t chunk) const noexcept {
  return std::min(kMostTurns, turns_ - chunk * kMostTurns);
}

const std::uint8_t* ByteLookupWeights::words(std::size_t group,
                                             std::size_t chunk,
                                             std::size_t block) const noexcept {
  const std::size_t turns =
      (group * turns_ + chunk * kMostTurns) * blocks() + block * turns_of(chunk);
  return reinterpret_cast<const std::uint8_t*>(words_.data()) + turns * kTurnBytes;
}

}  // namespace lastbit
