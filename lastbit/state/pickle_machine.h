#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/state/pickle.h"

namespace lastbit {

/// The stack machine that a pickle is a program for. `values` holds all that it makes.
class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes,
                std::string where,
                std::deque<PickleValue>& values)
      : bytes_(bytes), where_(std::move(where)), values_(values) {}

  /// Runs to the end. @throws FormatError as of `Pickle`.
  const PickleValue* run();
  /// Bytes read so far.
  std::size_t read() const noexcept { return at_; }

 private:
  using Kind = PickleValue::Kind;
  using Values = std::vector<const PickleValue*>;

  // Values take some hundred bytes each. The state of a network has some twenty a tensor.
  static constexpr std::size_t kMostValues = 1U << 22U;

  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... what) const {
    throw FormatError(cat(where_, ": the pickle ", what..., ", at its byte ", start_));
  }

  // One opcode. False at the end; the others say whether the opcode is one of theirs.
  bool step();
  bool step_value(char code);
  bool step_container(char code);
  bool step_stack(char code);

  // Bytes.
  std::string_view take(std::uint64_t size);
  std::uint64_t number(std::size_t size);
  std::string_view line();

  // The stack. Nothing below the last mark is taken from it.
  std::size_t floor() const noexcept { return marks_.empty() ? 0 : marks_.back(); }
  void push(const PickleValue* value);
  PickleValue& add(PickleValue value);
  void add_long(std::string_view bytes);
  const PickleValue* pop();
  Values pop_several(std::size_t count);
  Values pop_to_mark();
  PickleValue& top(Kind kind, const char* expected);
  void mark();
  void put(std::uint64_t index);
  void get(std::uint64_t index);

  // What Python would import, call and fill.
  void add_class(std::string_view module, std::string_view name);
  void reduce();
  void add_dict(const Values& arguments);
  Values items_of(const Values& arguments);
  void spend(std::size_t items);
  void extend(PickleValue& value, const Values& items);
  void build();

  std::span<const std::byte> bytes_;
  std::string where_;
  std::deque<PickleValue>& values_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;  // of the opcode at hand
  Values stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack
  std::unordered_map<std::uint64_t, const PickleValue*> memo_;
  std::size_t copied_ = 0;
};

}  // namespace lastbit
