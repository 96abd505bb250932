#include "lastbit/state/state.h"

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/safetensors/safetensors.h"
#include "lastbit/state/elements.h"
#include "lastbit/state/fill.h"
#include "lastbit/state/normalize.h"
#include "lastbit/state/pickle.h"
#include "lastbit/state/torch_file.h"

namespace lastbit {
namespace {

// Far above any name; matching patterns takes time that grows with the square.
constexpr std::size_t kLongestName = 1000;

std::vector<std::int64_t> row_major(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t axis = shape.size(); axis-- > 1;) {
    strides[axis - 1] = strides[axis] * shape[axis];
  }
  return strides;
}

// @param turned  the tensor is [in, out] in its file, and is given as [out, in].
StateTensor plain(const std::string& name,
                  const Tensor& tensor,
                  const std::string& where,
                  bool turned = false) {
  Shape shape = tensor.shape();
  std::vector<std::int64_t> strides = row_major(shape);
  if (turned) {
    std::ranges::reverse(shape);
    std::ranges::reverse(strides);
  }
  return {.name = name, .type = tensor.type(), .shape = shape, .read = [=] {
            return to_floats(tensor.bytes(),
                             tensor.type(),
                             shape,
                             strides,
                             0,
                             cat(where, ": tensor '", printable(name), "'"));
          }};
}

std::vector<StateTensor> read_tensors(const std::filesystem::path& path) {
  std::vector<StateTensor> result;
  for (const auto& [name, tensor] : read_safetensors(path).tensors) {
    result.push_back(plain(name, tensor, cat("[safetensors] ", path.string())));
  }
  return result;
}

std::vector<StateTensor> read_constants(const std::filesystem::path& path) {
  const Graph graph = read_onnx(path);
  for (const Node& node : graph.nodes) {
    if (node.op != "Gemm") continue;
    const float alpha = float_attribute(node, "alpha", 1.0F);
    const float beta = float_attribute(node, "beta", 1.0F);
    if (alpha == 1.0F && beta == 1.0F) continue;
    throw InputError(cat("[import] ",
                         path.string(),
                         ": node ",
                         describe(node),
                         " has the factors ",
                         alpha,
                         " and ",
                         beta,
                         ", expected 1 and 1"));
  }
  // Matrices of MatMul, and of Gemm without transB.
  std::set<std::string> turned;
  for (const WeightUse& use : lowbit_candidates(graph)) {
    const bool matrix = shape_of(*graph.find_initializer(use.initializer)).size() == 2;
    if (matrix && use.channel_axis == 1) turned.insert(use.initializer);
  }
  std::vector<StateTensor> result;
  const auto add = [&](const std::string& name) {
    const Tensor tensor = decode(*graph.find_initializer(name));
    result.push_back(plain(name, tensor, cat("[onnx] ", path.string()), turned.contains(name)));
  };
  for (const std::string_view name : {kInputMean, kInputDeviation}) {
    if (graph.find_initializer(name) != nullptr) add(std::string(name));
  }
  for (const std::string& name : weight_constants(graph)) add(name);
  return result;
}

void strip(std::vector<StateTensor>& tensors, std::string_view prefix) {
  const auto has = [&](const StateTensor& tensor) { return tensor.name.starts_with(prefix); };
  if (!std::ranges::all_of(tensors, has)) return;
  for (StateTensor& tensor : tensors) tensor.name.erase(0, prefix.size());
}

}  // namespace

std::vector<StateTensor> read_state(const std::filesystem::path& path) {
  std::vector<StateTensor> tensors;
  const std::filesystem::path ending = path.extension();
  if (ending == ".onnx") {
    tensors = read_constants(path);
  } else if (ending == ".safetensors") {
    tensors = read_tensors(path);
  } else {
    const auto file = std::make_shared<const MappedFile>(path);
    tensors = read_torch(file->bytes(), file, cat("[pytorch] ", path.string()));
  }
  if (tensors.empty()) throw FormatError(cat("[import] ", path.string(), " holds no tensors"));
  for (const StateTensor& tensor : tensors) {
    if (tensor.name.size() <= kLongestName) continue;
    throw FormatError(cat("[import] ",
                          path.string(),
                          " has a tensor with a name of ",
                          tensor.name.size(),
                          " characters, expected at most ",
                          kLongestName));
  }
  for (const std::string_view prefix : {"_orig_mod.", "module.", "_orig_mod."})
    strip(tensors, prefix);
  return tensors;
}

}  // namespace lastbit
