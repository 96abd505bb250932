#include "lastbit/archive/inflate.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

// zlib counts in unsigned int, which may be half as wide as a size.
constexpr std::size_t kMaxPiece = std::numeric_limits<uInt>::max();

constexpr int kGzipMagic[] = {0x1f, 0x8b};

}  // namespace

Inflater::Inflater(std::span<const std::byte> packed, Wrapping wrapping, std::string where)
    : packed_(packed), wrapping_(wrapping), where_(std::move(where)) {
  const int bits = wrapping == Wrapping::kGzip ? MAX_WBITS + 16 : -MAX_WBITS;
  if (::inflateInit2(&stream_, bits) != Z_OK) throw std::bad_alloc();
}

Inflater::~Inflater() { ::inflateEnd(&stream_); }

void Inflater::refill() noexcept {
  if (stream_.avail_in != 0) return;
  const std::size_t piece = std::min(packed_.size(), kMaxPiece);
  // zlib never writes through next_in; its interface predates const.
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed_.data()));
  stream_.avail_in = static_cast<uInt>(piece);
  packed_ = packed_.subspan(piece);
}

bool Inflater::next_member() {
  refill();
  if (wrapping_ != Wrapping::kGzip || stream_.avail_in < 2 || stream_.next_in[0] != kGzipMagic[0] ||
      stream_.next_in[1] != kGzipMagic[1]) {
    return false;
  }
  return ::inflateReset(&stream_) == Z_OK;
}

std::size_t Inflater::read(std::span<std::byte> out) {
  std::size_t filled = 0;
  while (filled < out.size() && !ended_) {
    refill();
    const auto room = static_cast<uInt>(std::min(out.size() - filled, kMaxPiece));
    stream_.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
    stream_.avail_out = room;
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    const std::size_t got = room - stream_.avail_out;
    filled += got;
    produced_ += got;
    if (status == Z_STREAM_END) {
      ended_ = !next_member();
    } else if (status == Z_BUF_ERROR ||
               (status == Z_OK && got == 0 && stream_.avail_in == 0 && packed_.empty())) {
      throw FormatError(cat(where_,
                            " is cut off: its packed data end after ",
                            produced_,
                            " unpacked bytes, expected the end of the stream"));
    } else if (status == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (status != Z_OK) {
      throw FormatError(cat(where_,
                            " is damaged after ",
                            produced_,
                            " unpacked bytes: ",
                            stream_.msg != nullptr ? stream_.msg : "not a deflate stream"));
    }
  }
  return filled;
}

}  // namespace lastbit
