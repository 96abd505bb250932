#pragma once

#include <cstddef>
#include <span>

namespace lastbit::fuzz {

/// What became of an input.
enum class Outcome : unsigned char {
  kRefused,  // by the reader, or when a session was made
  kLoaded,   // but not run, since that would take long
  kRan,
};

/// Reads `bytes` as an ONNX file, makes sessions for both kinds of activations and runs them on
/// some numbers. Whatever the bytes are, they must be refused in one sentence or run: any other
/// exception, and an error whose text is not one sentence, ends the process, as do the sanitizers.
Outcome try_model(std::span<const std::byte> bytes);

}  // namespace lastbit::fuzz
