#include "memory.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

#include "device.h"
#include "version.h"

namespace lastbit::pretend {
namespace {

// Not canonical on x86-64, and the kernel's half on AArch64, which passes over the eight above it.
constexpr std::uintptr_t kDeviceBit = std::uintptr_t{1} << 55;

constexpr std::size_t kAlignment = 64;

void* aligned(std::size_t bytes) {
  void* const memory =
      std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void free_of_device(void* device) { std::free(host_address(device)); }

class DeviceAllocator final : public VersionedAllocator {
 public:
  c10::DeleterFnPtr raw_deleter() const override { return &free_of_device; }

 private:
  c10::DataPtr make(std::size_t bytes) const override {
    return allocate_on_device(bytes, current_device());
  }
  void copy(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(host_address(to), host_address(const_cast<void*>(from)), bytes);
  }
};

class PinnedRanges {
 public:
  void add(void* first, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    ends_[first] = static_cast<std::byte*>(first) + bytes;
  }
  void remove(void* first) {
    const std::lock_guard lock(mutex_);
    ends_.erase(first);
  }
  bool contain(const void* place) {
    const std::lock_guard lock(mutex_);
    const auto after = ends_.upper_bound(const_cast<void*>(place));
    return after != ends_.begin() && place < std::prev(after)->second;
  }

 private:
  std::mutex mutex_;
  std::map<void*, void*, std::less<>> ends_;
};

// Never destroyed: tensors may outlive all other statics.
PinnedRanges& pinned() {
  static auto& ranges = *new PinnedRanges;
  return ranges;
}

void free_pinned(void* memory) {
  pinned().remove(memory);
  std::free(memory);
}

class PinnedAllocator final : public VersionedAllocator {
 public:
  c10::DeleterFnPtr raw_deleter() const override { return &free_pinned; }

 private:
  c10::DataPtr make(std::size_t bytes) const override {
    if (bytes == 0) return {nullptr, c10::DeviceType::CPU};
    void* const memory = aligned(bytes);
    pinned().add(memory, bytes);
    return {memory, memory, &free_pinned, c10::DeviceType::CPU};
  }
  void copy(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }
};

}  // namespace

// NOLINTBEGIN(performance-no-int-to-ptr): addresses are what this is about.
void* device_address(void* host) noexcept {
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(host) | kDeviceBit);
}

void* host_address(void* device) noexcept {
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(device) & ~kDeviceBit);
}
// NOLINTEND(performance-no-int-to-ptr)

c10::DataPtr allocate_on_device(std::size_t bytes, c10::DeviceIndex index) {
  const c10::Device device(c10::DeviceType::CUDA, index);
  if (bytes == 0) return {nullptr, device};
  void* const host = aligned(bytes);
  std::memset(host, 0xff, bytes);
  void* const memory = device_address(host);
  return {memory, memory, &free_of_device, device};
}

c10::Allocator* device_allocator() {
  static auto* const allocator = new DeviceAllocator;  // as pinned()
  return allocator;
}

c10::Allocator* pinned_allocator() {
  static auto* const allocator = new PinnedAllocator;
  return allocator;
}

bool is_pinned(const void* host) { return pinned().contain(host); }

}  // namespace lastbit::pretend
