#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lastbit/state/pickle_classes.h"

namespace lastbit {

/// A value of a pickle. Values form a graph, which may have cycles.
struct PickleValue {
  enum class Kind : std::uint8_t {
    kNone,
    kBool,
    kInteger,
    kLong,  // an integer of more than 64 bits
    kReal,
    kText,
    kBytes,
    kTuple,
    kList,
    kSet,
    kDict,
    kClass,
    kCall,       // a class and the tuple of its arguments
    kReference,  // what lies outside the pickle, described by a tuple
  };
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;  // of kBool and kInteger
  double real = 0.0;
  std::string_view text = {};                  // of kText, kBytes and kLong: in the pickle's bytes
  const PickleClass* type = nullptr;           // of kClass and kCall
  std::vector<const PickleValue*> items = {};  // of a kDict: key, value, key, value, ...
};

/// Reads a pickle of protocols 2 to 5 as data.
///
/// Nothing is called or imported. Classes are names in a table; where Python would call one, the
/// value is a note of the class and its arguments (ordered dictionaries, sets and torch.Size become
/// what they are). State that a pickle gives to such a value is dropped. There is no recursion, and
/// each value costs a byte of the pickle at least, so neither depth nor counts can exhaust memory.
class Pickle {
 public:
  /// @param bytes  begin with a pickle, more may follow; outlive this object.
  /// @param where  begins every error message, as "[pytorch] net.pth".
  /// @throws FormatError with the place for an opcode that is unknown or does not fit, for bytes
  ///     that end too soon, and for a class that is not in the table, by its name.
  Pickle(std::span<const std::byte> bytes, std::string where);

  const PickleValue& root() const noexcept { return *root_; }
  /// All values of kind kReference.
  std::vector<const PickleValue*> references() const;
  /// Bytes that the pickle took.
  std::size_t size() const noexcept { return size_; }

 private:
  std::deque<PickleValue> values_;
  const PickleValue* root_ = nullptr;
  std::size_t size_ = 0;
};

/// The value of a text key of a dictionary, the last one where there are several; null if there is
/// none or `dict` is no dictionary.
const PickleValue* find_item(const PickleValue& dict, std::string_view key) noexcept;

/// Text of a file for a message: with '?' for what is not printable, and cut at 80 characters.
std::string printable(std::string_view text);

}  // namespace lastbit
