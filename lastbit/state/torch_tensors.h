#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/state/pickle.h"

namespace lastbit {

/// Elements that tensors lie in, outside the pickle.
struct TorchStorage {
  std::string_view key;            ///< names the storage in its file
  DType type = DType::kUndefined;  ///< undefined for bytes
  std::int64_t count = 0;          ///< elements that the pickle promises; of the whole storage
};

/// A tensor of a state dict, whose elements are not read yet.
struct TorchTensor {
  std::string name;
  TorchStorage storage;
  DType type = DType::kUndefined;
  Shape shape;
  std::vector<std::int64_t> strides;  ///< in elements
  std::int64_t offset = 0;            ///< of the first element, in elements
};

/// The storage that a reference describes: ("storage", type, key, device, count[, view]).
/// @throws FormatError
TorchStorage torch_storage(const PickleValue& reference, const std::string& where);

/// The tensors of a state dict in their order, each checked to lie in its storage. A dictionary
/// that holds the state dict under one of the usual keys ("state_dict", "model", ...) is opened;
/// values that are no tensors are passed over.
/// @throws FormatError
std::vector<TorchTensor> torch_tensors(const PickleValue& root, const std::string& where);

}  // namespace lastbit
