#include "lastbit/runtime/aligned_bytes.h"

#include <cstdint>
#include <cstdlib>
#include <limits>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr std::size_t kAlignment = 64;

}  // namespace

void AlignedBytes::Free::operator()(void* memory) const noexcept { std::free(memory); }

// Large memory is zero when the system gives it, and takes up room once it is written to.
AlignedBytes::AlignedBytes(std::size_t size) : size_(size) {
  if (size <= std::numeric_limits<std::size_t>::max() - kAlignment) {
    memory_.reset(std::calloc(1, size + kAlignment));
  }
  if (memory_ == nullptr) throw WorkError(cat("[runtime] no memory for ", size, " bytes"));
  auto* bytes = static_cast<std::byte*>(memory_.get());
  data_ = bytes + (kAlignment - reinterpret_cast<std::uintptr_t>(bytes) % kAlignment);
}

}  // namespace lastbit
