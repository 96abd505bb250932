#include "lastbit/base/scratch.h"

#include <limits>
#include <new>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace lastbit {
namespace {

constexpr std::size_t kLargePage = std::size_t{1} << 21U;
constexpr std::size_t kMany = 4 * kLargePage;

}  // namespace

ScratchFloats scratch_floats(std::size_t count) {
  if (count > (std::numeric_limits<std::size_t>::max() - kLargePage) / sizeof(float)) {
    throw std::bad_alloc();
  }
  const bool many = count * sizeof(float) >= kMany;
  const std::size_t alignment = many ? kLargePage : 64;
  const std::size_t bytes = (count * sizeof(float) / alignment + 1) * alignment;
  void* const memory = std::aligned_alloc(alignment, bytes);
  if (memory == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (many) ::madvise(memory, bytes, MADV_HUGEPAGE);  // a wish
#endif
  return ScratchFloats(static_cast<float*>(memory));
}

}  // namespace lastbit
