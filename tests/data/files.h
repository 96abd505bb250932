#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <zlib.h>

#include "lastbit/base/error.h"
#include "lastbit/data/dataset.h"

namespace lastbit {

/// A new, empty folder that goes with the object.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lastbit-data-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }

  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(const std::string& name, std::string_view bytes) const {
    std::filesystem::path path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  std::string read(const std::string& name) const {
    std::ifstream file(path_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

 private:
  std::filesystem::path path_;
};

/// The sentence of the Error that `work` throws.
template <typename Expected = FormatError, typename Work>
std::string error_of(const Work& work) {
  try {
    work();
  } catch (const Expected& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another exception: ") + error.what();
  }
  return "no exception";
}

inline std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

inline std::string big(std::uint32_t value) {
  const std::string text = little(value, 4);
  return {text.rbegin(), text.rend()};
}

/// Deflate with zlib's window bits: 31 for gzip, -15 for a bare stream.
inline std::string deflate(std::string_view bytes, int bits) {
  z_stream stream{};
  if (::deflateInit2(&stream, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string out(::deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (::deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

inline std::string gzip(std::string_view bytes) { return deflate(bytes, 31); }

inline std::string idx(const std::vector<std::uint32_t>& shape, std::string_view values) {
  std::string text = big(0x800U + static_cast<std::uint32_t>(shape.size()));
  for (const std::uint32_t extent : shape) text += big(extent);
  return text.append(values);
}

inline std::string npy_text(const std::string& header, std::string_view data, int version = 1) {
  const int length_bytes = version == 1 ? 2 : 4;
  return "\x93NUMPY" + std::string{static_cast<char>(version), '\0'} +
         little(header.size(), length_bytes) + header + std::string(data);
}

inline std::string npy(const std::string& dtype,
                       const std::string& shape,
                       std::string_view data,
                       int version = 1) {
  return npy_text("{'descr': '" + dtype + "', 'fortran_order': False, 'shape': " + shape + ", }\n",
                  data,
                  version);
}

template <typename Number>
std::string raw(const std::vector<Number>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number)};
}

struct ZipEntry {
  std::string name;
  std::string bytes;
  bool deflated = false;
};

inline std::string zip(const std::vector<ZipEntry>& entries) {
  std::string file;
  std::string list;
  for (const ZipEntry& entry : entries) {
    const std::string packed = entry.deflated ? deflate(entry.bytes, -15) : entry.bytes;
    const auto* const data = reinterpret_cast<const Bytef*>(entry.bytes.data());
    const std::string common = little(20, 2) + little(0, 2) + little(entry.deflated ? 8 : 0, 2) +
                               little(0, 4) + little(::crc32_z(0, data, entry.bytes.size()), 4) +
                               little(packed.size(), 4) + little(entry.bytes.size(), 4) +
                               little(entry.name.size(), 2);
    list += "PK\x01\x02" + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2) +
            little(0, 2) + little(0, 4) + little(file.size(), 4) + entry.name;
    // Extra fields differ between the two records in files of numpy: the local one has some here.
    file += "PK\x03\x04" + common + little(4, 2) + entry.name + little(0xcafe, 2) + little(0, 2) +
            packed;
  }
  return file + list + "PK\x05\x06" + little(0, 4) + little(entries.size(), 2) +
         little(entries.size(), 2) + little(list.size(), 4) + little(file.size(), 4) + little(0, 2);
}

inline std::vector<float> gather(const DatasetSource& source, std::vector<std::int64_t> indices) {
  std::size_t stride = 1;
  for (const std::int64_t extent : source.sample_shape()) stride *= extent;
  std::vector<float> out(indices.size() * stride);
  source.gather(indices, out);
  return out;
}

}  // namespace lastbit
