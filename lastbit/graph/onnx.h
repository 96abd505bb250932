#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "lastbit/graph/graph.h"

namespace lastbit {

/// The opsets of a `Graph` and of files written; the newest is the newest that ONNX Runtime 1.30
/// takes. Files of opset 7 to 12 are read where all their operators mean the same at 13, and raised
/// to 13.
inline constexpr std::int64_t kOldestOpset = 13;
inline constexpr std::int64_t kNewestOpset = 26;

struct ReadOptions {
  /// Elements of one byte, which low-bit weights are made of, are not copied: the graph keeps the
  /// file mapped, or refers to the bytes. They must stay and not change as long as the graph and
  /// copies of it live.
  bool keep_bytes = false;
};

/// Reads an ONNX model. Calls of `lastbit.Decode`, and its body written inline, become low-bit
/// initializers. External data is looked for beside the file, never outside its folder.
///
/// @throws InputError if the file cannot be read or holds what is not supported (subgraphs, sparse
///     tensors, a foreign opset); FormatError, with path and place, if its bytes are not ONNX.
Graph read_onnx(const std::filesystem::path& path, const ReadOptions& options = {});

/// The same from memory. @param folder  where external data lies; empty refuses it.
Graph parse_onnx(std::span<const std::byte> bytes,
                 const std::filesystem::path& folder = {},
                 const ReadOptions& options = {});

struct WriteOptions {
  /// Write the operators of `lastbit.Decode` in place of each call, for tools that know no local
  /// functions.
  bool inline_decode = false;
};

/// The bytes of an ONNX model file. Equal graphs give equal bytes.
std::string serialize_onnx(const Graph& graph, const WriteOptions& options = {});

/// Writes the file whole or not at all. @throws InputError as `write_file` does.
void write_onnx(const std::filesystem::path& path,
                const Graph& graph,
                const WriteOptions& options = {});

}  // namespace lastbit
