#include "host_call.h"

#include <cstring>
#include <mutex>
#include <string_view>

#include <ATen/EmptyTensor.h>
#include <ATen/TensorUtils.h>
#include <c10/core/CPUAllocator.h>

#include "device.h"
#include "generator.h"
#include "memory.h"

namespace lastbit::pretend {
namespace {

bool on_device(const at::Tensor& tensor) { return tensor.defined() && tensor.is_cuda(); }

const void* memory_of(const at::Tensor& tensor) { return tensor.storage().data_ptr().get(); }

at::Tensor over(c10::Storage storage, c10::DispatchKey key, const at::Tensor& like) {
  at::Tensor tensor = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(key), like.dtype());
  c10::TensorImpl* const impl = tensor.unsafeGetTensorImpl();
  impl->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
  return tensor;
}

// It may be resized, as the device's own tensor may.
at::Tensor host_over(const at::Tensor& own) {
  const c10::Storage& storage = own.storage();
  void* const memory = host_address(const_cast<void*>(storage.data_ptr().get()));
  at::Tensor host = over(c10::Storage(c10::Storage::use_byte_size_t(),
                                      storage.nbytes(),
                                      c10::DataPtr(memory, c10::DeviceType::CPU),
                                      c10::GetCPUAllocator(),
                                      /*resizable=*/true),
                         c10::DispatchKey::CPU,
                         own);
  if (own.unsafeGetTensorImpl()->is_wrapped_number())
    host.unsafeGetTensorImpl()->set_wrapped_number(true);
  return host;
}

std::size_t bytes_spanned(const at::Tensor& tensor) {
  return at::detail::computeStorageNbytes(
      tensor.sizes(), tensor.strides(), tensor.dtype().itemsize());
}

at::Tensor device_copy(const at::Tensor& host, c10::DeviceIndex index, bool with_values) {
  const std::size_t bytes = bytes_spanned(host);
  c10::DataPtr memory = allocate_on_device(bytes, index);
  if (with_values && bytes > 0) std::memcpy(host_address(memory.get()), host.data_ptr(), bytes);
  at::Tensor tensor =
      at::detail::make_tensor<c10::TensorImpl>(c10::Storage(c10::Storage::use_byte_size_t(),
                                                            bytes,
                                                            std::move(memory),
                                                            device_allocator(),
                                                            /*resizable=*/true),
                                               c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                               host.dtype());
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(host.sizes(), host.strides());
  return tensor;
}

// One operator with random numbers at a time.
std::mutex& generator_mutex() {
  static std::mutex mutex;
  return mutex;
}

bool makes_empty(const c10::FunctionSchema& schema) {
  return std::string_view(schema.name()).substr(0, 11) == "aten::empty";
}

// Places of values, which a device takes from the host, and copies.
bool takes_several_devices(const c10::FunctionSchema& schema) {
  const std::string_view name = schema.name();
  return name == "aten::copy_" || name == "aten::_copy_from" || name == "aten::index" ||
         name == "aten::index_put_" || name == "aten::_index_put_impl_" ||
         name == "aten::index_put" || name == "aten::_unsafe_index" || name == "aten::set_";
}

}  // namespace

HostCall::HostCall(const c10::OperatorHandle& op, torch::jit::Stack& stack)
    : schema_(op.schema()), stack_(stack) {}

HostCall::~HostCall() {
  if (!generator_.defined()) return;
  static_cast<Generator*>(generator_.unsafeGetGeneratorImpl())->take_back();
  generator_mutex().unlock();
}

void HostCall::lend() {
  const std::vector<c10::Argument>& arguments = schema_.arguments();
  const std::size_t first = stack_.size() - arguments.size();
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].alias_info() != nullptr && arguments[i].alias_info()->isWrite())
      writes_ = true;
    stack_[first + i] = lent(stack_[first + i]);
  }
  if (device_.has_value() && elsewhere_.has_value() && !takes_several_devices(schema_)) {
    TORCH_CHECK(false,
                "Expected all tensors to be on the same device, but found at least two devices, ",
                *device_,
                " and ",
                elsewhere_->device(),
                "! (",
                schema_.operator_name(),
                ", a tensor of shape ",
                elsewhere_->sizes(),
                ")");
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const c10::TypePtr& type = arguments[i].type();
    const bool random = type->kind() == c10::TypeKind::GeneratorType ||
                        (type->kind() == c10::TypeKind::OptionalType &&
                         type->castRaw<c10::OptionalType>()->getElementType()->kind() ==
                             c10::TypeKind::GeneratorType);
    if (!random) continue;
    c10::IValue& value = stack_[first + i];
    lend_generator(value.isNone() ? default_generator(device_ ? device_->index() : -1)
                                  : value.toGenerator());
    value = generator_;
  }
}

void HostCall::lend_generator(const at::Generator& generator) {
  TORCH_CHECK(generator.device().is_cuda(),
              "Expected a 'cuda' device type for generator but found '",
              generator.device(),
              "'");
  generator_mutex().lock();
  generator_ = generator;
  static_cast<Generator*>(generator_.unsafeGetGeneratorImpl())->lend();
}

c10::IValue HostCall::lent(const c10::IValue& value) {
  if (value.isTensor()) return lent(value.toTensor());
  if (value.isTensorList()) {
    std::vector<at::Tensor> host;
    for (const at::Tensor& tensor : value.toTensorVector()) host.push_back(lent(tensor));
    return c10::List<at::Tensor>(host);
  }
  if (value.isOptionalTensorList()) {
    c10::List<c10::optional<at::Tensor>> host;
    for (const c10::optional<at::Tensor>& tensor : value.toOptionalTensorVector()) {
      host.push_back(tensor.has_value() ? c10::optional<at::Tensor>(lent(*tensor)) : c10::nullopt);
    }
    return host;
  }
  if (value.isDevice() && value.toDevice().is_cuda()) {
    const c10::Device device = value.toDevice();
    if (!device_.has_value()) {
      device_ = {device.type(), device.has_index() ? device.index() : current_device()};
    }
    return c10::Device(c10::DeviceType::CPU);
  }
  return value;
}

at::Tensor HostCall::lent(const at::Tensor& own) {
  if (!own.defined()) return own;
  require_one_device(own);
  if (!on_device(own)) return own;
  for (const Lent& before : lent_) {
    if (before.own.is_same(own)) return before.host;
  }
  const at::Tensor host = host_over(own);
  lent_.push_back({own, host, memory_of(host)});
  return host;
}

void HostCall::require_one_device(const at::Tensor& tensor) {
  if (!on_device(tensor)) {
    if (tensor.dim() > 0) elsewhere_ = tensor;
    return;
  }
  const bool same = !device_.has_value() || *device_ == tensor.device();
  if (same || takes_several_devices(schema_)) {
    device_ = tensor.device();
    return;
  }
  elsewhere_ = tensor;
}

void HostCall::take_back() {
  follow_changes();
  const std::size_t count = schema_.returns().size();
  const std::size_t first = stack_.size() - count;
  only_views_ = !writes_ && count > 0;
  for (std::size_t i = 0; i < count; ++i) stack_[first + i] = returned(stack_[first + i]);
}

void HostCall::follow_changes() const {
  for (const Lent& each : lent_) {
    c10::TensorImpl* const own = each.own.unsafeGetTensorImpl();
    const c10::Storage& storage = each.host.storage();
    if (memory_of(each.host) != each.memory) {
      c10::DataPtr memory = allocate_on_device(storage.nbytes(), each.own.device().index());
      if (storage.nbytes() > 0)
        std::memcpy(host_address(memory.get()), storage.data_ptr().get(), storage.nbytes());
      c10::StorageImpl* const changed = own->storage().unsafeGetStorageImpl();
      changed->set_nbytes(storage.nbytes());
      changed->set_data_ptr(std::move(memory));
    }
    if (own->sizes() != each.host.sizes() || own->strides() != each.host.strides() ||
        own->storage_offset() != each.host.storage_offset()) {
      own->set_sizes_and_strides(
          each.host.sizes(), each.host.strides(), each.host.storage_offset());
    }
  }
}

c10::IValue HostCall::returned(const c10::IValue& value) {
  if (value.isTensor()) return returned(value.toTensor());
  if (value.isTensorList()) {
    std::vector<at::Tensor> own;
    for (const at::Tensor& tensor : value.toTensorVector()) own.push_back(returned(tensor));
    return c10::List<at::Tensor>(own);
  }
  only_views_ = false;
  return value;
}

at::Tensor HostCall::returned(const at::Tensor& host) {
  if (!host.defined() || !device_.has_value()) return host;
  for (const Lent& each : lent_) {
    if (each.host.is_same(host)) return each.own;
  }
  for (const Lent& each : lent_) {
    if (memory_of(host) != nullptr && memory_of(host) == memory_of(each.host))
      return over(each.own.storage(), c10::DispatchKey::CUDA, host);
  }
  const bool empty = makes_empty(schema_);
  if (!empty) only_views_ = false;
  return device_copy(host, device_->index(), !empty);
}

}  // namespace lastbit::pretend
