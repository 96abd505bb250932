#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace lastbit {

/// One HTTP request whose answer is appended to a file.
struct TransferRequest {
  std::string url;
  std::filesystem::path part;  ///< Its present bytes are taken as the first of the body.
  std::uint64_t size = 0;      ///< Bytes that the whole body should have.
  double timeout_s = 30.0;
  std::function<void(std::uint64_t done)> progress;
};

enum class TransferEnd {
  kComplete,  ///< `part` has `size` bytes.
  kRepeat,    ///< It may work the next time; `part` holds what has arrived.
  kHopeless,  ///< It will not work the next time either. A body that was too large is gone.
};

struct TransferResult {
  TransferEnd end = TransferEnd::kComplete;
  std::string reason;  ///< Half a sentence; empty when complete.
};

/// Asks for the bytes that `part` lacks. A server that ignores ranges sends all of them again, and
/// `part` starts anew; redirections are followed to http and https only.
/// @throws InputError if `part` cannot be written. Exceptions of `progress` pass through.
TransferResult transfer(const TransferRequest& request);

}  // namespace lastbit
