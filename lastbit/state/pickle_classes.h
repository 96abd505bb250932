#pragma once

#include <string_view>

#include "lastbit/graph/tensor.h"

namespace lastbit {

/// What a class that a pickle names stands for.
enum class PickleRole {
  kOrderedDict,     // a dictionary
  kTuple,           // torch.Size
  kSet,             // set
  kTensor,          // the functions that make tensors of storages, with (storage, offset, ...)
  kTypedTensor,     // the same with the element type among the arguments
  kParameter,       // a tensor that is trained, (tensor, ...)
  kStorage,         // an element type, as a class
  kUntypedStorage,  // bytes
  kType,            // an element type, as a value
  kOther,           // known and harmless, of no interest here
};

/// A row of the classes that pickles may name; every other class is refused. Nothing of them is
/// ever called: they are names.
struct PickleClass {
  std::string_view name;  ///< "collections.OrderedDict"
  PickleRole role = PickleRole::kOther;
  DType type = DType::kUndefined;  ///< of kStorage and kType
};

/// The row of a module's class, or null.
const PickleClass* find_pickle_class(std::string_view module, std::string_view name) noexcept;

}  // namespace lastbit
