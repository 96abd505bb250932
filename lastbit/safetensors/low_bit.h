#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "lastbit/graph/lowbit.h"
#include "lastbit/graph/tensor.h"

namespace lastbit {

/// The weights of a network that is no Graph: those that are low-bit, and the rest, by name.
struct LowBitWeights {
  std::map<std::string, LowBitTensor> low_bit;
  std::map<std::string, Tensor> others;

  friend bool operator==(const LowBitWeights&, const LowBitWeights&) = default;
};

/// Writes a safetensors file. docs/own-loop.md has the layout: each low-bit weight W is the tensors
/// W.codes (packed as quant/digits.h says), W.codebook, W.scales and W.shape, for scales by group
/// W.group besides, and the metadata "lastbit.v1.set.W", which names its set.
/// @throws InputError if two tensors would have one name, if a low-bit weight is not as
///     `check_lowbit` wants it, or if the file cannot be written.
void write_low_bit_safetensors(const std::filesystem::path& path, const LowBitWeights& weights);

/// @throws InputError if the file cannot be read; FormatError if it is not a safetensors file, or
///     lacks a part of a low-bit weight, or such a part breaks a rule of docs/format.md.
LowBitWeights read_low_bit_safetensors(const std::filesystem::path& path);

}  // namespace lastbit
