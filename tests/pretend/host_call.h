#pragma once

#include <optional>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace lastbit::pretend {

/// One call of an operator, whose tensors of the device are lent to the host for its time.
///
/// lend() puts host tensors over the same memory in their places on the stack, take_back() puts
/// tensors of the device in the places of the results: the argument itself where the operator
/// returns it, a view where the result lies in an argument's memory, else a copy.
class HostCall {
 public:
  HostCall(const c10::OperatorHandle& op, torch::jit::Stack& stack);

  HostCall(const HostCall&) = delete;
  HostCall& operator=(const HostCall&) = delete;
  ~HostCall();

  /// @throws c10::Error where tensors are on several devices, as CUDA's kernels do.
  void lend();

  void take_back();

  /// Whether it did nothing but look at an argument's memory in another way.
  bool only_views() const noexcept { return only_views_; }

 private:
  struct Lent {
    at::Tensor own;
    at::Tensor host;
    const void* memory;  // of the host tensor when it was lent
  };

  c10::IValue lent(const c10::IValue& value);
  at::Tensor lent(const at::Tensor& own);
  void lend_generator(const at::Generator& generator);
  void require_one_device(const at::Tensor& tensor);

  // What the operator did to the shapes and the storage of its arguments.
  void follow_changes() const;

  c10::IValue returned(const c10::IValue& value);
  at::Tensor returned(const at::Tensor& host);

  const c10::FunctionSchema& schema_;
  torch::jit::Stack& stack_;
  std::vector<Lent> lent_;
  std::optional<c10::Device> device_;
  std::optional<at::Tensor> elsewhere_;  // on the host, and no single number
  at::Generator generator_;
  bool writes_ = false;
  bool only_views_ = false;
};

}  // namespace lastbit::pretend
