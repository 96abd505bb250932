#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "lastbit/graph/tensor.h"

namespace lastbit {

/// What a safetensors file holds: tensors and texts by name. The format of Hugging Face: eight
/// bytes with the length of a JSON header, the header, and the tensors' bytes one after another,
/// little-endian and row-major.
struct Safetensors {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  friend bool operator==(const Safetensors&, const Safetensors&) = default;
};

/// Reads a file's bytes. Nothing but the tensors, which are copied, takes memory that the bytes
/// could inflate.
/// @param where  the file's name, for messages.
/// @throws FormatError if anything breaks the format: a length beyond the file, a header that is no
///     such JSON, a name twice, an element type that `Tensor` cannot hold, a shape that does not
///     take the bytes given to it, bytes that two tensors or none have.
Safetensors parse_safetensors(std::span<const std::byte> bytes, const std::string& where);

/// @throws InputError if the file cannot be read; FormatError as `parse_safetensors`.
Safetensors read_safetensors(const std::filesystem::path& path);

/// Writes the file whole or not at all. Tensors of larger elements come first, so that every
/// tensor's place in memory is aligned once the file is mapped.
/// @throws InputError if a name is not UTF-8, or is "__metadata__", which is the format's own; or
/// if
///     the file cannot be written.
void write_safetensors(const std::filesystem::path& path, const Safetensors& content);

}  // namespace lastbit
