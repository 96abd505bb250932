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

inline Vec multiply_add(Vec a, Vec b, Vec c) noexcept { return a * b + c; }

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
inline Vec look_up(const std::uint8_t* fields, std::size_t k, Levels levels) noexcept {
  Vec v = {};
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kLanes; ++i) {
    const std::size_t bit = (k + i) * Bits;
    v[i] = levels[(static_cast<unsigned>(fields[bit / 8]) >> (bit % 8)) & ((1U << Bits) - 1U)];
  }
  return v;
}

#include "lastbit/runtime/kernels/vector_body.h"

}  // namespace

const KernelSet& baseline_kernels() noexcept {
  static const KernelSet kSet = [] {
    KernelSet set = scalar_kernels();
    set.name = "baseline";
    set.dot = dot;
    set.panel = panel;
    set.dot_codes = dot_codes;
    set.decode = decode;
    set.activate = activate;
    set_baseline_products(set);
    return set;
  }();
  return kSet;
}

}  // namespace lastbit
