#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <protozero/pbf_message.hpp>

#include "lastbit/graph/graph.h"

namespace lastbit {

// Internal to the reader and writer: ONNX's messages, and the numbers of their fields (onnx.proto).

enum class ModelField : protozero::pbf_tag_type {
  kIrVersion = 1,
  kProducerName = 2,
  kGraph = 7,
  kOpsetImport = 8,
  kMetadata = 14,
  kTrainingInfo = 20,
  kFunctions = 25,
};
enum class OpsetField : protozero::pbf_tag_type { kDomain = 1, kVersion = 2 };
enum class EntryField : protozero::pbf_tag_type { kKey = 1, kValue = 2 };
enum class GraphField : protozero::pbf_tag_type {
  kNode = 1,
  kName = 2,
  kInitializer = 5,
  kInput = 11,
  kOutput = 12,
  kSparseInitializer = 15,
};
enum class NodeField : protozero::pbf_tag_type {
  kInput = 1,
  kOutput = 2,
  kName = 3,
  kOp = 4,
  kAttribute = 5,
  kDomain = 7,
};
enum class AttributeField : protozero::pbf_tag_type {
  kName = 1,
  kFloat = 2,
  kInt = 3,
  kString = 4,
  kTensor = 5,
  kGraph = 6,
  kFloats = 7,
  kInts = 8,
  kStrings = 9,
  kType = 20,
  kReference = 21,
};
enum class TensorField : protozero::pbf_tag_type {
  kDims = 1,
  kType = 2,
  kFloats = 4,
  kInt32s = 5,
  kStrings = 6,
  kInt64s = 7,
  kName = 8,
  kRaw = 9,
  kDoubles = 10,
  kUint64s = 11,
  kExternal = 13,
  kLocation = 14,
};
enum class ValueField : protozero::pbf_tag_type { kName = 1, kType = 2 };
enum class TypeField : protozero::pbf_tag_type { kTensor = 1 };
enum class TensorTypeField : protozero::pbf_tag_type { kElement = 1, kShape = 2 };
enum class ShapeField : protozero::pbf_tag_type { kDim = 1 };
enum class DimField : protozero::pbf_tag_type { kSize = 1, kSymbol = 2 };
enum class FunctionField : protozero::pbf_tag_type {
  kName = 1,
  kInput = 4,
  kOutput = 5,
  kAttribute = 6,
  kNode = 7,
  kOpsetImport = 9,
  kDomain = 10,
};

/// The number in AttributeProto's field `type`, for each alternative of `Attribute` in its order.
inline constexpr std::int32_t kAttributeTypes[] = {2, 1, 3, 7, 6, 8, 4};

/// Where a model comes from.
struct Source {
  std::filesystem::path folder;            // of external data; empty refuses it
  std::shared_ptr<const void> owner = {};  // of the model's bytes, if tensors may keep them
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// A TensorProto. @param where  "initializer", for messages.
NamedTensor parse_tensor(protozero::data_view bytes, std::string_view where, const Source& source);

/// A model as its messages say, not yet checked as a whole.
struct OnnxModel {
  std::optional<std::int64_t> opset;  // of ONNX's own operators
  bool has_graph = false;
  Graph graph;  // nodes in the file's order, inputs with the initializers that old files list there
};

/// @throws protozero::exception where the bytes are no messages; InputError, FormatError.
OnnxModel parse_model(std::span<const std::byte> bytes, const Source& source);

}  // namespace lastbit
