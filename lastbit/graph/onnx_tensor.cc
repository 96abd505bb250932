#include <bit>
#include <charconv>
#include <cstring>
#include <type_traits>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/onnx_model.h"

namespace lastbit {
namespace {

using protozero::pbf_wire_type;
using protozero::tag_and_type;

struct External {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

// The elements of a tensor, as ONNX may give them: one of the fields, or a place in another file.
struct TensorFields {
  std::string name;
  Shape dims;
  std::int32_t type = 0;
  std::optional<protozero::data_view> raw;
  std::string typed;  // little-endian elements of the typed fields
  bool has_typed = false;
  bool has_strings = false;
  bool is_external = false;
  External external;
};

template <typename T>
void append(std::string& bytes, T value) {
  static_assert(std::endian::native == std::endian::little);
  char buffer[sizeof(T)];
  std::memcpy(buffer, &value, sizeof(T));
  bytes.append(buffer, sizeof(T));
}

// int32_data holds all types of 32 bits and fewer.
void append_int32(std::string& bytes, std::int32_t value, DType type) {
  switch (element_size(type)) {
    case 1:
      append(bytes, static_cast<std::int8_t>(value));
      break;
    case 2:
      append(bytes, static_cast<std::int16_t>(value));
      break;
    default:
      append(bytes, value);
  }
}

std::uint64_t parse_number(const std::string& text, std::string_view key, std::string_view name) {
  std::uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    throw FormatError(cat("[onnx] tensor '",
                          name,
                          "': ",
                          key,
                          " of its external data is '",
                          text,
                          "', expected a number"));
  }
  return value;
}

void parse_external(protozero::data_view bytes, TensorFields& tensor) {
  std::string key;
  std::string value;
  protozero::pbf_message<EntryField> entry(bytes);
  while (entry.next()) {
    switch (entry.tag_and_type()) {
      case tag_and_type(EntryField::kKey, pbf_wire_type::length_delimited):
        key = entry.get_string();
        break;
      case tag_and_type(EntryField::kValue, pbf_wire_type::length_delimited):
        value = entry.get_string();
        break;
      default:
        entry.skip();
    }
  }
  if (key == "location") tensor.external.location = value;
  if (key == "offset") tensor.external.offset = parse_number(value, key, tensor.name);
  if (key == "length") tensor.external.length = parse_number(value, key, tensor.name);
}

template <typename Range, typename Add>
void append_all(const Range& values, const Add& add) {
  for (const auto value : values) add(value);
}

// The fields that say how the others are to be read, wherever they stand.
void parse_header(protozero::data_view bytes, TensorFields& tensor) {
  protozero::pbf_message<TensorField> message(bytes);
  while (message.next()) {
    switch (message.tag_and_type()) {
      case tag_and_type(TensorField::kDims, pbf_wire_type::varint):
        tensor.dims.push_back(message.get_int64());
        break;
      case tag_and_type(TensorField::kDims, pbf_wire_type::length_delimited):
        for (const std::int64_t dim : message.get_packed_int64()) tensor.dims.push_back(dim);
        break;
      case tag_and_type(TensorField::kType, pbf_wire_type::varint):
        tensor.type = message.get_int32();
        break;
      case tag_and_type(TensorField::kName, pbf_wire_type::length_delimited):
        tensor.name = message.get_string();
        break;
      default:
        message.skip();
    }
  }
}

void parse_elements(protozero::data_view bytes, TensorFields& tensor) {
  const auto type = static_cast<DType>(tensor.type);
  std::string& out = tensor.typed;
  const auto add = [&](auto value) { append(out, value); };
  const auto add_int32 = [&](std::int32_t value) { append_int32(out, value, type); };
  const auto add_uint64 = [&](std::uint64_t value) {
    if (type == DType::kUint32) {
      append(out, static_cast<std::uint32_t>(value));
    } else {
      append(out, value);
    }
  };
  constexpr auto kPacked = pbf_wire_type::length_delimited;
  protozero::pbf_message<TensorField> message(bytes);
  while (message.next()) {
    const std::size_t before = out.size();
    switch (message.tag_and_type()) {
      case tag_and_type(TensorField::kFloats, kPacked):
        append_all(message.get_packed_float(), add);
        break;
      case tag_and_type(TensorField::kFloats, pbf_wire_type::fixed32):
        add(message.get_float());
        break;
      case tag_and_type(TensorField::kDoubles, kPacked):
        append_all(message.get_packed_double(), add);
        break;
      case tag_and_type(TensorField::kDoubles, pbf_wire_type::fixed64):
        add(message.get_double());
        break;
      case tag_and_type(TensorField::kInt64s, kPacked):
        append_all(message.get_packed_int64(), add);
        break;
      case tag_and_type(TensorField::kInt64s, pbf_wire_type::varint):
        add(message.get_int64());
        break;
      case tag_and_type(TensorField::kInt32s, kPacked):
        append_all(message.get_packed_int32(), add_int32);
        break;
      case tag_and_type(TensorField::kInt32s, pbf_wire_type::varint):
        add_int32(message.get_int32());
        break;
      case tag_and_type(TensorField::kUint64s, kPacked):
        append_all(message.get_packed_uint64(), add_uint64);
        break;
      case tag_and_type(TensorField::kUint64s, pbf_wire_type::varint):
        add_uint64(message.get_uint64());
        break;
      case tag_and_type(TensorField::kRaw, kPacked):
        tensor.raw = message.get_view();
        break;
      case tag_and_type(TensorField::kStrings, kPacked):
        tensor.has_strings = true;
        message.skip();
        break;
      case tag_and_type(TensorField::kExternal, kPacked):
        parse_external(message.get_view(), tensor);
        break;
      case tag_and_type(TensorField::kLocation, pbf_wire_type::varint):
        tensor.is_external = message.get_int32() == 1;
        break;
      default:
        message.skip();
    }
    tensor.has_typed = tensor.has_typed || out.size() != before;
  }
}

// The file's path, which must not lead out of `folder`.
std::filesystem::path external_path(const External& external,
                                    std::string_view name,
                                    const std::filesystem::path& folder) {
  if (folder.empty()) {
    throw InputError(cat("[onnx] tensor '",
                         name,
                         "' lies in another file ('",
                         external.location,
                         "'), which a model read from memory cannot have"));
  }
  const std::filesystem::path location(external.location);
  bool inside = !location.empty() && location.is_relative();
  for (const std::filesystem::path& part : location) inside = inside && part != "..";
  std::error_code error;
  if (inside) {
    // A link inside the folder may still point out of it.
    const auto root = std::filesystem::weakly_canonical(folder, error);
    const auto target = std::filesystem::weakly_canonical(folder / location, error);
    const auto way = target.lexically_relative(root);
    inside = !error && !way.empty() && *way.begin() != "..";
  }
  if (!inside) {
    throw InputError(cat("[onnx] tensor '",
                         name,
                         "': its external data is at '",
                         external.location,
                         "', expected a file inside the model's folder"));
  }
  return folder / location;
}

Tensor external_tensor(const TensorFields& fields, const std::filesystem::path& folder) {
  const MappedFile file(external_path(fields.external, fields.name, folder));
  const std::size_t size = file.bytes().size();
  const External& external = fields.external;
  const bool begins = external.offset <= size;
  const std::uint64_t left = begins ? size - external.offset : 0;
  const std::uint64_t length = external.length.value_or(left);
  if (!begins || length > left) {
    throw FormatError(cat("[onnx] tensor '",
                          fields.name,
                          "': its external data is ",
                          length,
                          " bytes from byte ",
                          external.offset,
                          " of '",
                          external.location,
                          "', which has ",
                          size));
  }
  return {
      static_cast<DType>(fields.type), fields.dims, file.bytes().subspan(external.offset, length)};
}

std::span<const std::byte> as_bytes(const char* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

}  // namespace

NamedTensor parse_tensor(protozero::data_view bytes, std::string_view where, const Source& source) {
  TensorFields fields;
  parse_header(bytes, fields);
  const auto type = static_cast<DType>(fields.type);
  if (element_size(type) == 0) {
    throw InputError(cat("[onnx] ",
                         where,
                         " '",
                         fields.name,
                         "': elements of type ",
                         to_string(type),
                         " (",
                         fields.type,
                         ") are not supported"));
  }
  parse_elements(bytes, fields);
  const int sources = (fields.raw ? 1 : 0) + (fields.has_typed ? 1 : 0) +
                      (fields.is_external ? 1 : 0) + (fields.has_strings ? 1 : 0);
  if (sources > 1) {
    throw FormatError(
        cat("[onnx] ", where, " '", fields.name, "': its elements are given more than once"));
  }
  try {
    if (fields.is_external) return {fields.name, external_tensor(fields, source.folder)};
    if (!fields.raw) {
      const auto data = as_bytes(fields.typed.data(), fields.typed.size());
      return {fields.name, Tensor(type, fields.dims, data)};
    }
    const auto data = as_bytes(fields.raw->data(), fields.raw->size());
    return {fields.name, Tensor(type, fields.dims, data, source.owner)};
  } catch (const InputError& error) {
    const std::string_view message(error.what());
    if (!message.starts_with("[tensor] ")) throw;
    throw FormatError(
        cat("[onnx] ", where, " '", fields.name, "': ", message.substr(message.find(' ') + 1)));
  }
}

}  // namespace lastbit
