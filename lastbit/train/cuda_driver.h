#pragma once

#include <array>
#include <memory>

#include <torch/types.h>

namespace lastbit {

using CudaDeviceId = std::array<char, 16>;

/// The few functions of CUDA's driver that streams need, found when the program runs: whatever
/// LibTorch the program was built with, a machine with a CUDA device has them, and streams and
/// events of the driver are those of CUDA's runtime.
class CudaDriver {
 public:
  /// Null where there is no driver.
  static std::unique_ptr<CudaDriver> load();

  /// What no other device of any machine has; zeros where the driver does not tell.
  CudaDeviceId device_id(torch::Device device) const;

 private:
  friend class CudaStream;

  // @throws WorkError unless `result` is that of success.
  static void check(int result, const char* what);

  int (*create_stream_)(void**, unsigned) = nullptr;
  int (*destroy_stream_)(void*) = nullptr;
  int (*create_event_)(void**, unsigned) = nullptr;
  int (*destroy_event_)(void*) = nullptr;
  int (*record_)(void* event, void* stream) = nullptr;
  int (*wait_)(void* stream, void* event, unsigned) = nullptr;
  int (*query_)(void* event) = nullptr;
  int (*get_device_)(int* device, int ordinal) = nullptr;
  int (*get_id_)(char* bytes, int device) = nullptr;
};

/// A stream of a device beside LibTorch's default one.
///
/// All functions want the device to be the calling thread's.
class CudaStream {
 public:
  CudaStream(std::unique_ptr<CudaDriver> driver, torch::Device device);
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;
  ~CudaStream();

  void* handle() const noexcept { return stream_; }
  /// What comes into this stream from now on waits for all that is in the default stream.
  void follow_default();
  void mark();
  /// Whether all is done that was in this stream at the mark.
  bool reached_mark() const;

 private:
  std::unique_ptr<CudaDriver> driver_;
  void* stream_ = nullptr;
  void* before_ = nullptr;  // events
  void* mark_ = nullptr;
};

}  // namespace lastbit
