#include <cstdint>

#include "lastbit/runtime/kernels/sets.h"

namespace lastbit {
namespace {

constexpr std::size_t kLanes = 4;
using Vec = float __attribute__((vector_size(kLanes * sizeof(float))));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * sizeof(float))));
// Tiles that fill the registers without spilling.
constexpr std::size_t kDotColumns = 2;
constexpr std::size_t kDotTile = 4;
constexpr std::size_t kPanelVectors = 2;

inline Vec load_part(const float* from, std::size_t count) noexcept {
  Vec v = {};
  __builtin_memcpy(&v, from, count * sizeof(float));
  return v;
}

inline void store_part(float* to, Vec v, std::size_t count) noexcept {
  __builtin_memcpy(to, &v, count * sizeof(float));
}

using Levels = const float*;

inline Levels load_levels(const float* table) noexcept { return table; }

template <int Bits>
inline void decode_block(const std::uint8_t* codes, Levels levels, float* out) noexcept {
  constexpr std::size_t kFields = 8 / Bits;  // in a byte
  for (std::size_t i = 0; i < 2 * Bits; ++i) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kFields; ++j) {
      out[i * kFields + j] = levels[(codes[i] >> (j * Bits)) & ((1U << Bits) - 1U)];
    }
  }
}

#include "lastbit/runtime/kernels/vector_body.h"

}  // namespace

const KernelSet& baseline_kernels() noexcept {
  static constexpr KernelSet kSet = {"baseline", dot, panel, decode_codes, activate};
  return kSet;
}

}  // namespace lastbit
