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

#include "lastbit/runtime/kernels/vector_body.h"

}  // namespace

const KernelSet& baseline_kernels() noexcept {
  static constexpr KernelSet kSet = {"baseline", dot, panel, decode_digits, activate};
  return kSet;
}

}  // namespace lastbit
