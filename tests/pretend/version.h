#pragma once

#include <cstddef>

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/Allocator.h>
#include <torch/version.h>

// What the pretended device must say in one way to LibTorch 1.13 and in another to 2.x.

namespace lastbit::pretend {

class VersionedAllocator : public c10::Allocator {
 public:
#if TORCH_VERSION_MAJOR >= 2
  c10::DataPtr allocate(std::size_t bytes) final { return make(bytes); }
  void copy_data(void* to, const void* from, std::size_t bytes) const final {
    copy(to, from, bytes);
  }
#else
  c10::DataPtr allocate(std::size_t bytes) const final { return make(bytes); }
#endif

 private:
  virtual c10::DataPtr make(std::size_t bytes) const = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) const = 0;
};

/// The hooks that both have under other names.
class VersionedHooks : public at::CUDAHooksInterface {
 public:
#if TORCH_VERSION_MAJOR >= 2
  void init() const final { start(); }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex index) const final {
    return generator(index);
  }
  bool isPinnedPtr(const void* data) const final { return pinned(data); }
  bool hasPrimaryContext(c10::DeviceIndex) const final { return true; }
  c10::DeviceIndex deviceCount() const final { return count(); }
  c10::DeviceIndex getCurrentDevice() const final { return current(); }
  c10::DeviceIndex current_device() const final { return current(); }
  void deviceSynchronize(c10::DeviceIndex) const final { wait(); }
#else
  void initCUDA() const final { start(); }
  const at::Generator& getDefaultCUDAGenerator(c10::DeviceIndex index) const final {
    return generator(index);
  }
  bool isPinnedPtr(void* data) const final { return pinned(data); }
  bool hasPrimaryContext(std::int64_t) const final { return true; }
  std::int64_t current_device() const final { return current(); }
  void deviceSynchronize(std::int64_t) const final { wait(); }
#endif
  int getNumGPUs() const final { return count(); }

 private:
  virtual void start() const = 0;
  virtual const at::Generator& generator(c10::DeviceIndex index) const = 0;
  virtual bool pinned(const void* data) const = 0;
  virtual c10::DeviceIndex count() const = 0;
  virtual c10::DeviceIndex current() const = 0;
  virtual void wait() const = 0;
};

}  // namespace lastbit::pretend
