#include <string_view>

#include <ATen/Functions.h>
#include <torch/library.h>

#include "counters.h"
#include "host_call.h"
#include "memory.h"

namespace lastbit::pretend {
namespace {

// Those of a device whose results have sizes that their values decide, or are numbers of the host.
bool waits(std::string_view name, const torch::jit::Stack& stack) {
  for (const std::string_view waiting : {"aten::_local_scalar_dense",
                                         "aten::nonzero",
                                         "aten::masked_select",
                                         "aten::unique_dim",
                                         "aten::_unique",
                                         "aten::_unique2",
                                         "aten::unique_consecutive",
                                         "aten::equal",
                                         "aten::repeat_interleave"}) {
    if (name == waiting) return true;
  }
  if (name != "aten::index" && name != "aten::index_put_" && name != "aten::_index_put_impl_")
    return false;
  for (const c10::IValue& value : stack) {
    if (!value.isOptionalTensorList() && !value.isTensorList()) continue;
    for (const c10::optional<at::Tensor>& place : value.toOptionalTensorVector()) {
      if (place.has_value() && place->defined() && place->scalar_type() == at::kBool) return true;
    }
  }
  return false;
}

void on_host(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
  if (waits(op.schema().name(), *stack)) ++counters().waits;
  HostCall call(op, *stack);
  call.lend();
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  call.take_back();
  if (!call.only_views()) ++counters().launches;
}

void copy(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
  const std::size_t first = stack->size() - op.schema().arguments().size();
  const at::Tensor to = (*stack)[first].toTensor();
  const at::Tensor from = (*stack)[first + 1].toTensor();
  const bool asked_not_to_wait = (*stack)[first + 2].toBool();
  const auto bytes = static_cast<std::int64_t>(from.nbytes());
  const auto pinned = [](const at::Tensor& tensor) { return is_pinned(tensor.data_ptr()); };
  if (to.is_cuda() && from.is_cuda()) {
    ++counters().launches;
  } else if (to.is_cuda()) {
    counters().bytes_to_device += bytes;
    if (!asked_not_to_wait || !pinned(from)) ++counters().waits;
  } else {
    counters().bytes_to_host += bytes;
    if (!asked_not_to_wait || !pinned(to)) ++counters().waits;
  }
  HostCall call(op, *stack);
  call.lend();
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  call.take_back();
}

bool is_pinned_tensor(const at::Tensor& tensor, c10::optional<at::Device>) {
  return tensor.device().is_cpu() && is_pinned(tensor.storage().data_ptr().get());
}

at::Tensor pin(const at::Tensor& tensor, c10::optional<at::Device>) {
  TORCH_CHECK(tensor.device().is_cpu(), "cannot pin '", tensor.toString(), "'");
  at::Tensor pinned = at::empty(tensor.sizes(), tensor.options().pinned_memory(true));
  return pinned.copy_(tensor);
}

}  // namespace

TORCH_LIBRARY_IMPL(_, CUDA, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&on_host>());
}

// These go by composition or by kernels of their own on a device without a fallback of its own.
TORCH_LIBRARY_IMPL(aten, CUDA, m) {
  m.impl("copy_", torch::CppFunction::makeFromBoxedFunction<&copy>());
  m.impl("is_pinned", &is_pinned_tensor);
  m.impl("_pin_memory", &pin);
  for (const char* name : {"convolution", "convolution_backward", "smooth_l1_loss"})
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&on_host>());
}

}  // namespace lastbit::pretend
