#include "lastbit/runtime/aligned_bytes.h"

#include <cstring>
#include <new>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr std::align_val_t kAlignment{64};

}  // namespace

void AlignedBytes::Delete::operator()(std::byte* bytes) const noexcept {
  ::operator delete(bytes, kAlignment);
}

AlignedBytes::AlignedBytes(std::size_t size) : size_(size) {
  void* memory = ::operator new(size, kAlignment, std::nothrow);
  if (memory == nullptr) throw WorkError(cat("[runtime] no memory for ", size, " bytes"));
  std::memset(memory, 0, size);
  bytes_.reset(static_cast<std::byte*>(memory));
}

}  // namespace lastbit
