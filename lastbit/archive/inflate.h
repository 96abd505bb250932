#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <zlib.h>

namespace lastbit {

/// What surrounds a deflate stream: nothing, as in a zip file, or a gzip header and checksum.
enum class Wrapping { kNone, kGzip };

/// No deflate stream unpacks to more than this many times its size.
inline constexpr std::uint64_t kMaxInflation = 1032;

/// Unpacks a deflate stream that lies in memory, piece by piece.
class Inflater {
 public:
  /// @param packed  outlives this object. Gzip members that follow one another are one stream.
  /// @param where  begins every error message, such as "[gzip] data/x.gz".
  Inflater(std::span<const std::byte> packed, Wrapping wrapping, std::string where);
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater();

  /// Fills `out` and returns how many bytes it got: fewer only at the end of the stream.
  /// @throws FormatError if the stream is cut off, is not deflate or fails its own checksum.
  std::size_t read(std::span<std::byte> out);

  /// Bytes of `packed` behind the end of the stream; meaningful once `read` came back short.
  std::size_t left() const noexcept { return packed_.size() + stream_.avail_in; }

 private:
  void refill() noexcept;
  bool next_member();

  std::span<const std::byte> packed_;  // what the stream has not been given yet
  Wrapping wrapping_;
  std::string where_;
  z_stream stream_{};
  std::uint64_t produced_ = 0;
  bool ended_ = false;
};

}  // namespace lastbit
