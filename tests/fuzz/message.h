#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit::fuzz {

/// A field of a protobuf message, as its bytes alone tell: whatever reads as a message is one.
struct Field {
  enum class Kind : std::uint8_t { kVarint, kFixed, kBytes, kMessage };

  std::uint32_t number = 0;
  Kind kind = Kind::kVarint;
  std::uint64_t varint = 0;
  std::shared_ptr<const std::string> bytes;  // of kBytes, or the 4 or 8 of kFixed
  std::vector<Field> fields;                 // of kMessage
};

using Message = std::vector<Field>;

/// The fields of `bytes`; whether they are a whole message.
bool parse_message(std::string_view bytes, Message& message, int depth = 0);

std::string serialize(const Message& message);

}  // namespace lastbit::fuzz
