#include "lastbit/data/npy.h"

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/data/npy_header.h"

namespace lastbit {
namespace {

static_assert(std::endian::native == std::endian::little, "npy data are read in place");

constexpr std::string_view kMagic = "\x93NUMPY";

std::uint64_t little_endian(std::span<const std::byte> bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8U | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return value;
}

std::size_t element_size(const std::string& dtype, const std::string& where) {
  if (dtype.starts_with('>')) {
    throw FormatError(cat("[npy] ",
                          where,
                          " is big-endian (",
                          dtype,
                          "), expected little-endian: write it with .astype('<",
                          dtype.substr(1),
                          "')"));
  }
  for (const char* const known :
       {"b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"}) {
    if (dtype == cat('<', known) || dtype == cat('|', known)) {
      return static_cast<std::size_t>(known[1] - '0');
    }
  }
  throw FormatError(cat("[npy] ",
                        where,
                        " has dtype '",
                        dtype,
                        "', expected b1, u1, u2, u4, u8, i1, i2, i4, i8, f4 or f8"));
}

template <typename Number>
Number load(std::span<const std::byte> data, std::size_t index) noexcept {
  Number value{};
  std::memcpy(&value, data.data() + index * sizeof(Number), sizeof(Number));
  return value;
}

template <typename Number>
std::vector<float> floats_of(std::span<const std::byte> data) {
  std::vector<float> values(data.size() / sizeof(Number));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(load<Number>(data, i));
  }
  return values;
}

template <typename Number>
std::vector<std::int32_t> integers_of(std::span<const std::byte> data, const std::string& where) {
  std::vector<std::int32_t> values(data.size() / sizeof(Number));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Number value = load<Number>(data, i);
    if (!std::in_range<std::int32_t>(value)) {
      throw FormatError(cat("[npy] ",
                            where,
                            " element ",
                            i,
                            " is ",
                            value,
                            ", expected a number of at most 31 bits"));
    }
    values[i] = static_cast<std::int32_t>(value);
  }
  return values;
}

}  // namespace

NpyArray parse_npy(std::span<const std::byte> bytes, const std::string& where) {
  if (bytes.size() < 10 || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    throw FormatError(cat("[npy] ", where, " does not begin as an npy file does"));
  }
  const auto version = std::to_integer<unsigned>(bytes[6]);
  if (version < 1 || version > 3 || bytes[7] != std::byte{0}) {
    throw FormatError(cat("[npy] ",
                          where,
                          " has version ",
                          version,
                          ".",
                          std::to_integer<unsigned>(bytes[7]),
                          ", expected 1.0, 2.0 or 3.0"));
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t begin = 8 + length_bytes;
  const std::uint64_t length =
      bytes.size() < begin ? 0 : little_endian(bytes.subspan(8, length_bytes));
  if (bytes.size() < begin || bytes.size() - begin < length) {
    throw FormatError(cat("[npy] ",
                          where,
                          " is cut off in its header: it has ",
                          bytes.size(),
                          " bytes, expected at least ",
                          begin + length));
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data() + begin), length);
  NpyHeader header = parse_npy_header(text, where);
  std::uint64_t size = element_size(header.dtype, where);
  if (header.fortran_order) {
    throw FormatError(cat("[npy] ",
                          where,
                          " is in Fortran order, expected C order: write it with "
                          "numpy.ascontiguousarray"));
  }
  for (const std::int64_t extent : header.shape) {
    if (__builtin_mul_overflow(size, static_cast<std::uint64_t>(extent), &size)) {
      throw FormatError(
          cat("[npy] ", where, " has shape (", join(header.shape), "), more than a file can hold"));
    }
  }
  const std::span<const std::byte> data = bytes.subspan(begin + length);
  if (data.size() != size) {
    throw FormatError(cat("[npy] ",
                          where,
                          " has ",
                          data.size(),
                          " bytes of data, but ",
                          header.dtype,
                          " of shape (",
                          join(header.shape),
                          ") takes ",
                          size));
  }
  return {.dtype = std::move(header.dtype), .shape = std::move(header.shape), .data = data};
}

std::vector<float> npy_floats(const NpyArray& array, const std::string& where) {
  const std::string_view kind = std::string_view(array.dtype).substr(1);
  if (kind == "f4") return floats_of<float>(array.data);
  if (kind == "f8") return floats_of<double>(array.data);
  throw FormatError(cat("[npy] ", where, " has dtype ", array.dtype, ", expected f4 or f8"));
}

std::vector<std::int32_t> npy_integers(const NpyArray& array, const std::string& where) {
  const std::string_view kind = std::string_view(array.dtype).substr(1);
  if (kind == "b1" || kind == "u1") return integers_of<std::uint8_t>(array.data, where);
  if (kind == "u2") return integers_of<std::uint16_t>(array.data, where);
  if (kind == "u4") return integers_of<std::uint32_t>(array.data, where);
  if (kind == "u8") return integers_of<std::uint64_t>(array.data, where);
  if (kind == "i1") {
    std::vector<std::int32_t> values = integers_of<std::uint8_t>(array.data, where);
    for (std::int32_t& value : values) value -= value > 127 ? 256 : 0;  // two's complement
    return values;
  }
  if (kind == "i2") return integers_of<std::int16_t>(array.data, where);
  if (kind == "i4") return integers_of<std::int32_t>(array.data, where);
  if (kind == "i8") return integers_of<std::int64_t>(array.data, where);
  throw FormatError(
      cat("[npy] ", where, " has dtype ", array.dtype, ", expected integers of 8 to 64 bits"));
}

void write_npy(const std::filesystem::path& path,
               std::span<const std::int64_t> shape,
               std::span<const float> values) {
  std::uint64_t count = 1;
  bool fits = true;
  for (const std::int64_t extent : shape) {
    fits = fits && extent >= 0 &&
           !__builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count);
  }
  if (!fits || count != values.size()) {
    throw InputError(cat("[npy] cannot write ",
                         path.string(),
                         ": ",
                         values.size(),
                         " values do not fill the shape (",
                         join(shape),
                         ")"));
  }
  std::string header = cat("{'descr': '<f4', 'fortran_order': False, 'shape': (",
                           join(shape),
                           shape.size() == 1 ? "," : "",
                           "), }");
  // The format wants the data at a multiple of 64 bytes and the header to end with a line's end.
  const std::size_t prefix = kMagic.size() + 4;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header.push_back('\n');
  if (header.size() > std::numeric_limits<std::uint16_t>::max()) {
    throw InputError(cat("[npy] cannot write ",
                         path.string(),
                         ": ",
                         shape.size(),
                         " dimensions are too many for version 1"));
  }
  const std::array<char, 4> version_and_length = {
      1, 0, static_cast<char>(header.size() & 0xffU), static_cast<char>(header.size() >> 8U)};
  const std::array<std::string_view, 4> pieces = {
      kMagic,
      std::string_view(version_and_length.data(), version_and_length.size()),
      header,
      std::string_view(reinterpret_cast<const char*>(values.data()), values.size_bytes())};
  write_file(path, pieces);
}

}  // namespace lastbit
