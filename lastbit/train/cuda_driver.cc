#include "lastbit/train/cuda_driver.h"

#include <utility>

#include <c10/core/DeviceGuard.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/train/symbol.h"

namespace lastbit {
namespace {

// cuda.h: numbers of its binary interface.
constexpr int kNotReady = 600;
constexpr unsigned kNonBlocking = 1;    // of a stream: does not wait for the default one by itself
constexpr unsigned kDisableTiming = 2;  // of an event
void* const kDefaultStream = nullptr;   // LibTorch's default stream is CUDA's

}  // namespace

std::unique_ptr<CudaDriver> CudaDriver::load() {
  void* const library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);  // stays for good
  if (library == nullptr) return nullptr;
  auto driver = std::make_unique<CudaDriver>();
  const bool found = find_symbol(library, "cuStreamCreate", driver->create_stream_) &&
                     find_symbol(library, "cuStreamDestroy_v2", driver->destroy_stream_) &&
                     find_symbol(library, "cuEventCreate", driver->create_event_) &&
                     find_symbol(library, "cuEventDestroy_v2", driver->destroy_event_) &&
                     find_symbol(library, "cuEventRecord", driver->record_) &&
                     find_symbol(library, "cuStreamWaitEvent", driver->wait_) &&
                     find_symbol(library, "cuEventQuery", driver->query_) &&
                     find_symbol(library, "cuDeviceGet", driver->get_device_) &&
                     (find_symbol(library, "cuDeviceGetUuid_v2", driver->get_id_) ||
                      find_symbol(library, "cuDeviceGetUuid", driver->get_id_));
  return found ? std::move(driver) : nullptr;
}

CudaDeviceId CudaDriver::device_id(torch::Device device) const {
  CudaDeviceId id{};
  int number = 0;
  const int ordinal = device.has_index() ? device.index() : 0;
  if (get_device_(&number, ordinal) != 0 || get_id_(id.data(), number) != 0) return {};
  return id;
}

void CudaDriver::check(int result, const char* what) {
  if (result != 0) throw WorkError(cat("[workers] CUDA cannot ", what, ": error ", result));
}

CudaStream::CudaStream(std::unique_ptr<CudaDriver> driver, torch::Device device)
    : driver_(std::move(driver)) {
  const c10::DeviceGuard guard(device);
  CudaDriver::check(driver_->create_stream_(&stream_, kNonBlocking), "make a stream");
  CudaDriver::check(driver_->create_event_(&before_, kDisableTiming), "make an event");
  CudaDriver::check(driver_->create_event_(&mark_, kDisableTiming), "make an event");
}

CudaStream::~CudaStream() {
  driver_->destroy_event_(mark_);
  driver_->destroy_event_(before_);
  driver_->destroy_stream_(stream_);
}

void CudaStream::follow_default() {
  CudaDriver::check(driver_->record_(before_, kDefaultStream), "record an event");
  CudaDriver::check(driver_->wait_(stream_, before_, 0), "wait for an event");
}

void CudaStream::mark() { CudaDriver::check(driver_->record_(mark_, stream_), "record an event"); }

bool CudaStream::reached_mark() const {
  const int result = driver_->query_(mark_);
  if (result != kNotReady) CudaDriver::check(result, "query an event");
  return result == 0;
}

}  // namespace lastbit
