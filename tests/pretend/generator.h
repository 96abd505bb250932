#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/Device.h>

namespace lastbit::pretend {

/// The random numbers of a device: those of the processor, by a state of its own.
class Generator final : public at::CPUGeneratorImpl {
 public:
  explicit Generator(c10::Device device) : own_(device) { device_ = device; }

  /// To the processor's operators, which take none of another device.
  void lend() { device_ = c10::Device(c10::DeviceType::CPU); }
  void take_back() { device_ = own_; }

 private:
  c10::Device own_;
};

const at::Generator& default_generator(c10::DeviceIndex index);

}  // namespace lastbit::pretend
