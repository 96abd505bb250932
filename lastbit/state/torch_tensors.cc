#include "lastbit/state/torch_tensors.h"

#include <array>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

using Kind = PickleValue::Kind;

// Under which checkpoints keep the state dict, the likelier first.
constexpr std::array<std::string_view, 7> kWrappers = {
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights"};
constexpr int kMostWrappers = 4;

constexpr std::size_t kMostDimensions = 64;

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw FormatError(cat(where, ": ", what));
}

bool is_call(const PickleValue& value, PickleRole role) noexcept {
  return value.kind == Kind::kCall && value.type->role == role;
}

bool is_tensor(const PickleValue& value) noexcept {
  return is_call(value, PickleRole::kTensor) || is_call(value, PickleRole::kTypedTensor) ||
         is_call(value, PickleRole::kParameter);
}

std::optional<std::vector<std::int64_t>> sizes_of(const PickleValue& value) {
  if (value.kind != Kind::kTuple && value.kind != Kind::kList) return std::nullopt;
  if (value.items.size() > kMostDimensions) return std::nullopt;
  std::vector<std::int64_t> sizes;
  for (const PickleValue* const item : value.items) {
    if (item->kind != Kind::kInteger || item->integer < 0) return std::nullopt;
    sizes.push_back(item->integer);
  }
  return sizes;
}

// Elements of the storage up to the last one that the tensor has; nothing where they overflow.
std::optional<std::int64_t> extent_of(const TorchTensor& tensor) noexcept {
  std::int64_t last = tensor.offset;
  for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
    if (tensor.shape[axis] == 0) return 0;
    std::int64_t steps = 0;
    if (__builtin_mul_overflow(tensor.shape[axis] - 1, tensor.strides[axis], &steps) ||
        __builtin_add_overflow(last, steps, &last)) {
      return std::nullopt;
    }
  }
  if (__builtin_add_overflow(last, 1, &last)) return std::nullopt;
  return last;
}

// Elements that the storage has, in the tensor's type.
std::int64_t room_of(const TorchTensor& tensor) noexcept {
  if (tensor.storage.type != DType::kUndefined) return tensor.storage.count;
  return tensor.storage.count / static_cast<std::int64_t>(element_size(tensor.type));
}

void check_place(const TorchTensor& tensor, const std::string& where) {
  const std::optional<std::int64_t> extent = extent_of(tensor);
  const std::optional<std::int64_t> count = checked_element_count(tensor.shape);
  // A tensor of few elements read many times would take more memory than its file.
  if (extent && count && *extent <= room_of(tensor) && *count <= room_of(tensor)) return;
  fail(where,
       cat("tensor '",
           printable(tensor.name),
           "' of shape ",
           to_string(tensor.shape),
           " with strides ",
           to_string(tensor.strides),
           " from element ",
           tensor.offset,
           " does not lie in its storage of ",
           room_of(tensor)));
}

TorchTensor tensor_of(const std::string& name, const PickleValue& value, const std::string& where) {
  const auto broken = [&](const std::string& what) {
    fail(where, cat("tensor '", printable(name), "' ", what));
  };
  const PickleValue* call = &value;
  while (is_call(*call, PickleRole::kParameter)) {
    if (call->items.empty()) broken("is a parameter of nothing");
    call = call->items.front();
  }
  if (!is_tensor(*call)) broken("is a parameter of what is no tensor");
  const bool typed = is_call(*call, PickleRole::kTypedTensor);
  const std::span<const PickleValue* const> arguments = call->items;
  if (arguments.size() < (typed ? 7 : 4)) {
    broken(cat("is made of ", arguments.size(), " arguments, expected more"));
  }
  if (arguments[0]->kind != Kind::kReference) broken("has no storage");
  TorchTensor tensor;
  tensor.name = name;
  tensor.storage = torch_storage(*arguments[0], where);
  tensor.type = tensor.storage.type;
  if (typed) {
    const PickleValue& type = *arguments[6];
    if (type.kind != Kind::kClass || type.type->role != PickleRole::kType) {
      broken("has no element type");
    }
    tensor.type = type.type->type;
    if (tensor.storage.type != DType::kUndefined && tensor.storage.type != tensor.type) {
      broken(
          cat("is ", to_string(tensor.type), " in a storage of ", to_string(tensor.storage.type)));
    }
  }
  if (tensor.type == DType::kUndefined) broken("has no element type");
  const auto shape = sizes_of(*arguments[2]);
  const auto strides = sizes_of(*arguments[3]);
  if (arguments[1]->kind != Kind::kInteger || arguments[1]->integer < 0 || !shape || !strides ||
      shape->size() != strides->size()) {
    broken("has no offset, shape and strides, expected a number and two tuples of one length");
  }
  tensor.offset = arguments[1]->integer;
  tensor.shape = *shape;
  tensor.strides = *strides;
  check_place(tensor, where);
  return tensor;
}

// The dictionary that holds the tensors.
const PickleValue& state_dict_of(const PickleValue& root, const std::string& where) {
  const PickleValue* dict = &root;
  for (int depth = 0; depth < kMostWrappers; ++depth) {
    const PickleValue* inner = nullptr;
    for (const std::string_view key : kWrappers) {
      const PickleValue* const found = find_item(*dict, key);
      if (found != nullptr && found->kind == Kind::kDict && inner == nullptr) inner = found;
    }
    if (inner == nullptr) break;
    dict = inner;
  }
  if (dict->kind != Kind::kDict) fail(where, "holds no dictionary, expected a state dict");
  std::vector<std::string> keys;
  for (std::size_t i = 0; i + 1 < dict->items.size(); i += 2) {
    if (is_tensor(*dict->items[i + 1])) return *dict;
    if (dict->items[i]->kind == Kind::kText && keys.size() < 20) {
      keys.push_back(printable(dict->items[i]->text));
    }
  }
  fail(where, cat("holds no tensors by name; its keys are: ", keys.empty() ? "none" : join(keys)));
}

}  // namespace

TorchStorage torch_storage(const PickleValue& reference, const std::string& where) {
  const std::span<const PickleValue* const> items = reference.items;
  if (reference.kind != Kind::kReference || items.empty() || items[0]->kind != Kind::kText) {
    fail(where, "refers to something outside the pickle that has no kind");
  }
  if (items[0]->text != "storage") {
    fail(where, cat("refers to a ", printable(items[0]->text), ", expected a storage"));
  }
  if (items.size() < 5 || items[1]->kind != Kind::kClass || items[2]->kind != Kind::kText ||
      items[4]->kind != Kind::kInteger || items[4]->integer < 0) {
    fail(where, "describes a storage by other values than type, key, device and size");
  }
  const PickleRole role = items[1]->type->role;
  if (role != PickleRole::kStorage && role != PickleRole::kUntypedStorage) {
    fail(where, cat("has a storage of the class ", items[1]->type->name));
  }
  // Views of storages were written by PyTorch before 0.4 alone.
  if (items.size() > 5 && items[5]->kind != Kind::kNone) {
    fail(where, "has a view of a storage, which is not read; save it anew with torch.save");
  }
  return {.key = items[2]->text, .type = items[1]->type->type, .count = items[4]->integer};
}

std::vector<TorchTensor> torch_tensors(const PickleValue& root, const std::string& where) {
  const PickleValue& dict = state_dict_of(root, where);
  std::vector<TorchTensor> tensors;
  std::set<std::string_view> names;
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleValue& key = *dict.items[i];
    const PickleValue& value = *dict.items[i + 1];
    if (!is_tensor(value)) continue;
    if (key.kind != Kind::kText) fail(where, "has a tensor whose name is no text");
    if (!names.insert(key.text).second) {
      fail(where, cat("has two tensors of the name '", printable(key.text), "'"));
    }
    tensors.push_back(tensor_of(std::string(key.text), value, where));
  }
  return tensors;
}

}  // namespace lastbit
