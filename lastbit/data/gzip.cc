#include "lastbit/data/gzip.h"

#include <algorithm>
#include <array>

#include "lastbit/archive/inflate.h"
#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

bool is_gzip(std::span<const std::byte> bytes) noexcept {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

void require_header(const std::filesystem::path& path, std::size_t got, std::size_t expected) {
  if (got >= expected) return;
  throw FormatError(cat("[data] ",
                        path.string(),
                        " is cut off: it has ",
                        got,
                        " bytes, expected a header of ",
                        expected));
}

[[noreturn]] void fail_size(const std::filesystem::path& path,
                            std::string_view got,
                            std::uint64_t expected) {
  throw FormatError(
      cat("[data] ", path.string(), " has ", got, " bytes, but its header promises ", expected));
}

std::vector<std::byte> unpack(const std::filesystem::path& path,
                              std::span<const std::byte> packed,
                              std::size_t header_size,
                              const PromisedSize& promised) {
  Inflater inflater(packed, Wrapping::kGzip, cat("[gzip] ", path.string()));
  std::vector<std::byte> bytes(header_size);
  require_header(path, inflater.read(bytes), header_size);
  const std::uint64_t size = promised(bytes);
  if (size / kMaxInflation > packed.size()) {
    throw FormatError(cat("[gzip] ",
                          path.string(),
                          " has ",
                          packed.size(),
                          " packed bytes, too few for the ",
                          size,
                          " its header promises"));
  }
  bytes.resize(std::max<std::uint64_t>(size, header_size));
  const std::size_t got = header_size + inflater.read(std::span(bytes).subspan(header_size));
  if (got != size) fail_size(path, cat(got), size);
  std::array<std::byte, 1> beyond{};
  if (inflater.read(beyond) != 0) fail_size(path, cat("more than ", size), size);
  if (inflater.left() != 0) {
    throw FormatError(cat("[gzip] ",
                          path.string(),
                          " has ",
                          inflater.left(),
                          " bytes behind its gzip stream, expected none"));
  }
  return bytes;
}

}  // namespace

std::vector<std::byte> read_unpacked(const std::filesystem::path& path,
                                     std::size_t header_size,
                                     const PromisedSize& promised) {
  const MappedFile file(path);
  const std::span<const std::byte> bytes = file.bytes();
  if (is_gzip(bytes)) return unpack(path, bytes, header_size, promised);
  require_header(path, bytes.size(), header_size);
  const std::uint64_t size = promised(bytes.first(header_size));
  if (bytes.size() != size) fail_size(path, cat(bytes.size()), size);
  return {bytes.begin(), bytes.end()};
}

}  // namespace lastbit
