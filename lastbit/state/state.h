#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "lastbit/graph/tensor.h"

namespace lastbit {

/// A tensor of a file of trained weights. Its elements are read when they are asked for, so that a
/// small file whose tensors share their bytes takes little memory.
struct StateTensor {
  std::string name;
  DType type = DType::kUndefined;  ///< as in the file
  Shape shape;
  /// The elements as float32, row-major. @throws FormatError as `to_floats`, or for damage.
  std::function<std::vector<float>()> read;
};

/// Reads the weights that a program has saved, in the order of the file unless said otherwise:
///
/// - a PyTorch state dict, zip or legacy; see torch_file.h;
/// - a safetensors file, sorted by name;
/// - an ONNX file (by its name, .onnx): the constants that Conv, Gemm, MatMul and
///   BatchNormalization take, in the order of the nodes, and before them the "input.mean" and
///   "input.deviation" of our own files. Low-bit weights are decoded, matrices given as [out, in].
///
/// Where all names begin with "module." or "_orig_mod.", which wrappers of PyTorch put there, that
/// is left out.
/// @throws InputError if the file cannot be read; FormatError if it is damaged or something else.
std::vector<StateTensor> read_state(const std::filesystem::path& path);

}  // namespace lastbit
