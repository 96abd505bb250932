#include "device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "counters.h"
#include "generator.h"
#include "memory.h"
#include "version.h"

namespace lastbit::pretend {
namespace {

constexpr c10::DeviceIndex kMaxDevices = 8;

thread_local c10::DeviceIndex current = 0;

c10::Device device_of(c10::DeviceIndex index) { return {c10::DeviceType::CUDA, index}; }

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return c10::DeviceType::CUDA; }
  c10::Device exchangeDevice(c10::Device device) const override {
    const c10::Device before = getDevice();
    setDevice(device);
    return before;
  }
  c10::Device getDevice() const override { return device_of(current); }
  void setDevice(c10::Device device) const override {
    TORCH_CHECK(device.index() < device_count(), "CUDA error: invalid device ordinal");
    uncheckedSetDevice(device);
  }
  void uncheckedSetDevice(c10::Device device) const noexcept override {
    if (device.index() >= 0) current = device.index();
  }
  c10::Stream getStream(c10::Device device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream getDefaultStream(c10::Device device) const override { return getStream(device); }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return device_count(); }
  void record(void**, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  void destroyEvent(void*, c10::DeviceIndex) const noexcept override {}
  bool queryEvent(void*) const override { return true; }
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override { ++counters().waits; }
  void recordDataPtrOnStream(const c10::DataPtr&, const c10::Stream&) const override {}
};

C10_REGISTER_GUARD_IMPL(CUDA, Guard);

// LASTBIT_PRETENDED_REPORT=1: what a program asked of the device, at its end.
struct Report {
  ~Report() {
    if (std::getenv("LASTBIT_PRETENDED_REPORT") == nullptr) return;
    const Counts now = counts();
    std::fprintf(stderr,
                 "pretended device: %lld launches, %lld bytes to the host, %lld to the device, "
                 "%lld waits\n",
                 static_cast<long long>(now.launches),
                 static_cast<long long>(now.bytes_to_host),
                 static_cast<long long>(now.bytes_to_device),
                 static_cast<long long>(now.waits));
  }
} report;

}  // namespace

c10::DeviceIndex device_count() noexcept {
  static const auto count = [] {
    const char* const wished = std::getenv("LASTBIT_PRETENDED_DEVICES");
    return static_cast<c10::DeviceIndex>(
        wished == nullptr ? 2 : std::clamp(std::atoi(wished), 0, int{kMaxDevices}));
  }();
  return count;
}

c10::DeviceIndex current_device() noexcept { return current; }

Counters& counters() noexcept {
  static auto& counted = *new Counters;  // threads of LibTorch may outlive all statics
  return counted;
}

Counts counts() noexcept {
  const Counters& now = counters();
  return {now.launches, now.bytes_to_host, now.bytes_to_device, now.waits};
}

void reset_counts() noexcept {
  Counters& now = counters();
  now.launches = now.bytes_to_host = now.bytes_to_device = now.waits = 0;
}

const at::Generator& default_generator(c10::DeviceIndex index) {
  static const auto& all = *[] {
    auto* const generators = new std::vector<at::Generator>;
    for (c10::DeviceIndex i = 0; i < device_count(); ++i)
      generators->push_back(at::make_generator<Generator>(device_of(i)));
    return generators;
  }();
  return all.at(static_cast<std::size_t>(index < 0 ? current : index));
}

}  // namespace lastbit::pretend

namespace at {

// The registry finds the hooks by this name.
struct CUDAHooks final : lastbit::pretend::VersionedHooks {
  explicit CUDAHooks(CUDAHooksArgs) {}
  bool hasCUDA() const override { return lastbit::pretend::device_count() > 0; }
  bool hasCUDART() const override { return hasCUDA(); }
  Allocator* getPinnedMemoryAllocator() const override {
    return lastbit::pretend::pinned_allocator();
  }
  Allocator* getCUDADeviceAllocator() const override {
    return lastbit::pretend::device_allocator();
  }
  Device getDeviceFromPtr(void*) const override {
    return {DeviceType::CUDA, lastbit::pretend::current_device()};
  }

 private:
  void start() const override {}
  const Generator& generator(DeviceIndex index) const override {
    return lastbit::pretend::default_generator(index);
  }
  bool pinned(const void* data) const override { return lastbit::pretend::is_pinned(data); }
  DeviceIndex count() const override { return lastbit::pretend::device_count(); }
  DeviceIndex current() const override { return lastbit::pretend::current_device(); }
  void wait() const override { ++lastbit::pretend::counters().waits; }
};

REGISTER_CUDA_HOOKS(CUDAHooks);

}  // namespace at
