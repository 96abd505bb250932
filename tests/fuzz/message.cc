#include "message.h"

#include <optional>
#include <utility>

namespace lastbit::fuzz {
namespace {

constexpr int kDeepest = 8;
// Longer pieces are weights, not messages, but for the model's graph itself.
constexpr std::size_t kLongestInner = std::size_t{1} << 16U;

enum Wire : std::uint32_t { kWireVarint = 0, kWire64 = 1, kWireBytes = 2, kWire32 = 5 };

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80U) return value;
  }
  return std::nullopt;
}

void put_varint(std::uint64_t value, std::string& out) {
  for (; value >= 0x80U; value >>= 7U) out += static_cast<char>((value & 0x7FU) | 0x80U);
  out += static_cast<char>(value);
}

std::optional<std::string_view> take(std::string_view& bytes, std::uint64_t size) {
  if (size > bytes.size()) return std::nullopt;
  const std::string_view taken = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return taken;
}

bool parse_field(std::string_view& bytes, Field& field, int depth) {
  const auto key = take_varint(bytes);
  if (!key || *key >> 3U == 0 || *key >> 3U > 100) return false;
  field.number = static_cast<std::uint32_t>(*key >> 3U);
  const std::uint64_t wire = *key & 7U;
  if (wire == kWireVarint) {
    const auto value = take_varint(bytes);
    field.varint = value.value_or(0);
    return value.has_value();
  }
  std::optional<std::string_view> payload;
  if (wire == kWireBytes) {
    const auto size = take_varint(bytes);
    if (size) payload = take(bytes, *size);
  } else if (wire == kWire32 || wire == kWire64) {
    payload = take(bytes, wire == kWire32 ? 4 : 8);
  }
  if (!payload) return false;
  field.kind = wire == kWireBytes ? Field::Kind::kBytes : Field::Kind::kFixed;
  const bool may_be_message = wire == kWireBytes && payload->size() > 1 && depth < kDeepest &&
                              (depth < 2 || payload->size() <= kLongestInner);
  if (may_be_message && parse_message(*payload, field.fields, depth + 1)) {
    field.kind = Field::Kind::kMessage;
  } else {
    field.fields.clear();
    field.bytes = std::make_shared<const std::string>(*payload);
  }
  return true;
}

}  // namespace

bool parse_message(std::string_view bytes, Message& message, int depth) {
  while (!bytes.empty()) {
    Field field;
    if (!parse_field(bytes, field, depth)) return false;
    message.push_back(std::move(field));
  }
  return true;
}

std::string serialize(const Message& message) {
  std::string out;
  for (const Field& field : message) {
    const auto key = [&](Wire wire) { put_varint(std::uint64_t{field.number} << 3U | wire, out); };
    switch (field.kind) {
      case Field::Kind::kVarint:
        key(kWireVarint);
        put_varint(field.varint, out);
        break;
      case Field::Kind::kFixed:
        key(field.bytes->size() == 4 ? kWire32 : kWire64);
        out += *field.bytes;
        break;
      case Field::Kind::kBytes:
        key(kWireBytes);
        put_varint(field.bytes->size(), out);
        out += *field.bytes;
        break;
      case Field::Kind::kMessage: {
        const std::string inner = serialize(field.fields);
        key(kWireBytes);
        put_varint(inner.size(), out);
        out += inner;
      }
    }
  }
  return out;
}

}  // namespace lastbit::fuzz
