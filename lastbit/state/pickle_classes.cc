#include "lastbit/state/pickle_classes.h"

#include <array>

namespace lastbit {
namespace {

using Role = PickleRole;

constexpr std::array kClasses = {
    PickleClass{"collections.OrderedDict", Role::kOrderedDict},
    PickleClass{"builtins.set", Role::kSet},
    PickleClass{"__builtin__.set", Role::kSet},
    PickleClass{"torch.Size", Role::kTuple},
    PickleClass{"torch._utils._rebuild_tensor", Role::kTensor},
    PickleClass{"torch._utils._rebuild_tensor_v2", Role::kTensor},
    PickleClass{"torch._utils._rebuild_tensor_v3", Role::kTypedTensor},
    PickleClass{"torch._utils._rebuild_parameter", Role::kParameter},
    PickleClass{"torch._utils._rebuild_parameter_with_state", Role::kParameter},
    PickleClass{"torch.FloatStorage", Role::kStorage, DType::kFloat},
    PickleClass{"torch.DoubleStorage", Role::kStorage, DType::kDouble},
    PickleClass{"torch.HalfStorage", Role::kStorage, DType::kFloat16},
    PickleClass{"torch.BFloat16Storage", Role::kStorage, DType::kBfloat16},
    PickleClass{"torch.LongStorage", Role::kStorage, DType::kInt64},
    PickleClass{"torch.IntStorage", Role::kStorage, DType::kInt32},
    PickleClass{"torch.ShortStorage", Role::kStorage, DType::kInt16},
    PickleClass{"torch.CharStorage", Role::kStorage, DType::kInt8},
    PickleClass{"torch.ByteStorage", Role::kStorage, DType::kUint8},
    PickleClass{"torch.BoolStorage", Role::kStorage, DType::kBool},
    PickleClass{"torch.cuda.FloatStorage", Role::kStorage, DType::kFloat},
    PickleClass{"torch.cuda.DoubleStorage", Role::kStorage, DType::kDouble},
    PickleClass{"torch.cuda.HalfStorage", Role::kStorage, DType::kFloat16},
    PickleClass{"torch.cuda.BFloat16Storage", Role::kStorage, DType::kBfloat16},
    PickleClass{"torch.cuda.LongStorage", Role::kStorage, DType::kInt64},
    PickleClass{"torch.cuda.IntStorage", Role::kStorage, DType::kInt32},
    PickleClass{"torch.cuda.ByteStorage", Role::kStorage, DType::kUint8},
    PickleClass{"torch.cuda.BoolStorage", Role::kStorage, DType::kBool},
    PickleClass{"torch.UntypedStorage", Role::kUntypedStorage},
    PickleClass{"torch.storage.UntypedStorage", Role::kUntypedStorage},
    PickleClass{"torch.storage._UntypedStorage", Role::kUntypedStorage},
    PickleClass{"torch.float32", Role::kType, DType::kFloat},
    PickleClass{"torch.float64", Role::kType, DType::kDouble},
    PickleClass{"torch.float16", Role::kType, DType::kFloat16},
    PickleClass{"torch.bfloat16", Role::kType, DType::kBfloat16},
    PickleClass{"torch.int64", Role::kType, DType::kInt64},
    PickleClass{"torch.int32", Role::kType, DType::kInt32},
    PickleClass{"torch.int16", Role::kType, DType::kInt16},
    PickleClass{"torch.int8", Role::kType, DType::kInt8},
    PickleClass{"torch.uint8", Role::kType, DType::kUint8},
    PickleClass{"torch.uint16", Role::kType, DType::kUint16},
    PickleClass{"torch.uint32", Role::kType, DType::kUint32},
    PickleClass{"torch.uint64", Role::kType, DType::kUint64},
    PickleClass{"torch.bool", Role::kType, DType::kBool},
    PickleClass{"torch.device"},
    // Accuracies and the like, which checkpoints keep beside the weights.
    PickleClass{"numpy.dtype"},
    PickleClass{"numpy.core.multiarray.scalar"},
    PickleClass{"numpy._core.multiarray.scalar"},
    PickleClass{"_codecs.encode"},
};

}  // namespace

const PickleClass* find_pickle_class(std::string_view module, std::string_view name) noexcept {
  for (const PickleClass& row : kClasses) {
    if (row.name.size() == module.size() + 1 + name.size() && row.name.starts_with(module) &&
        row.name[module.size()] == '.' && row.name.ends_with(name)) {
      return &row;
    }
  }
  return nullptr;
}

}  // namespace lastbit
