#include "lastbit/state/pickle.h"

#include <algorithm>

#include "lastbit/state/pickle_machine.h"

// What the machine does to its bytes, its stack and its values; its opcodes are in
// pickle_machine.cc.

namespace lastbit {

std::string_view PickleMachine::take(std::uint64_t size) {
  if (size > bytes_.size() - at_) {
    fail("is cut off: it asks for ", size, " bytes of the ", bytes_.size() - at_, " left");
  }
  const auto* const begin = reinterpret_cast<const char*>(bytes_.data()) + at_;
  at_ += size;
  return {begin, static_cast<std::size_t>(size)};
}

std::uint64_t PickleMachine::number(std::size_t size) {
  const std::string_view bytes = take(size);
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) {
    value = value << 8U | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

std::string_view PickleMachine::line() {
  const auto* const begin = reinterpret_cast<const char*>(bytes_.data()) + at_;
  const std::size_t length = std::string_view(begin, bytes_.size() - at_).find('\n');
  if (length == std::string_view::npos) fail("is cut off in a line of text");
  const std::string_view text = take(length);
  ++at_;
  return text;
}

void PickleMachine::push(const PickleValue* value) {
  if (stack_.size() == kMostValues) fail("has more than ", kMostValues, " values");
  stack_.push_back(value);
}

PickleValue& PickleMachine::add(PickleValue value) {
  if (values_.size() == kMostValues) fail("has more than ", kMostValues, " values");
  values_.push_back(std::move(value));
  push(&values_.back());
  return values_.back();
}

// Integers of any length, least byte first, in two's complement.
void PickleMachine::add_long(std::string_view bytes) {
  if (bytes.size() > 8) {
    add({.kind = Kind::kLong, .text = bytes});
    return;
  }
  const bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80U) != 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8U | static_cast<unsigned char>(bytes[i]);
  }
  add({.kind = Kind::kInteger, .integer = static_cast<std::int64_t>(value)});
}

const PickleValue* PickleMachine::pop() {
  if (stack_.size() == floor()) fail("takes a value where there is none");
  const PickleValue* const value = stack_.back();
  stack_.pop_back();
  return value;
}

PickleMachine::Values PickleMachine::pop_several(std::size_t count) {
  Values items(count);
  while (count-- > 0) items[count] = pop();
  return items;
}

// What lies above the last mark, which goes.
PickleMachine::Values PickleMachine::pop_to_mark() {
  if (marks_.empty()) fail("takes the values after a mark where there is none");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  Values items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

// Values are const to those who look at them; they all lie in values_.
PickleValue& PickleMachine::top(Kind kind, const char* expected) {
  if (stack_.size() == floor() || stack_.back()->kind != kind) {
    fail("adds to a value that is no ", expected);
  }
  return const_cast<PickleValue&>(*stack_.back());
}

void PickleMachine::mark() {
  if (marks_.size() == kMostValues) fail("has more than ", kMostValues, " marks");
  marks_.push_back(stack_.size());
}

void PickleMachine::put(std::uint64_t index) {
  if (stack_.size() == floor()) fail("keeps a value where there is none");
  if (memo_.size() == kMostValues) fail("keeps more than ", kMostValues, " values");
  memo_[index] = stack_.back();
}

void PickleMachine::get(std::uint64_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) fail("recalls value ", index, ", which it has not kept");
  push(found->second);
}

void PickleMachine::add_class(std::string_view module, std::string_view name) {
  const PickleClass* const found = find_pickle_class(module, name);
  if (found == nullptr) {
    fail("names the class ",
         printable(cat(module, ".", name)),
         ", which is not one of those that state dicts are made of (a whole module, saved by "
         "torch.save(model, ...), is not read; expected torch.save(model.state_dict(), ...))");
  }
  add({.kind = Kind::kClass, .type = found});
}

void PickleMachine::reduce() {
  const PickleValue* const arguments = pop();
  const PickleValue* const callee = pop();
  if (callee->kind != Kind::kClass || arguments->kind != Kind::kTuple) {
    fail("calls what is no class, or without a tuple of arguments");
  }
  const Values& given = arguments->items;
  switch (callee->type->role) {
    case PickleRole::kOrderedDict:
      add_dict(given);
      return;
    case PickleRole::kTuple:
      add({.kind = Kind::kTuple}).items = items_of(given);
      return;
    case PickleRole::kSet:
      add({.kind = Kind::kSet}).items = items_of(given);
      return;
    default:
      spend(given.size());
      add({.kind = Kind::kCall, .type = callee->type}).items = given;
  }
}

// Copies of lists are all that could make much of few bytes.
void PickleMachine::spend(std::size_t items) {
  copied_ += items;
  if (copied_ > kMostValues) fail("copies more than ", kMostValues, " values");
}

PickleMachine::Values PickleMachine::items_of(const Values& arguments) {
  if (arguments.empty()) return {};
  const Kind kind = arguments.front()->kind;
  if (arguments.size() != 1 || (kind != Kind::kTuple && kind != Kind::kList)) {
    fail("makes a set or a size of something else than a list");
  }
  spend(arguments.front()->items.size());
  return arguments.front()->items;
}

// Of no arguments, or of a list of pairs as Python 2 writes it.
void PickleMachine::add_dict(const Values& arguments) {
  Values items;
  for (const PickleValue* const pair : items_of(arguments)) {
    if ((pair->kind != Kind::kTuple && pair->kind != Kind::kList) || pair->items.size() != 2) {
      fail("makes a dictionary of something else than pairs");
    }
    items.insert(items.end(), pair->items.begin(), pair->items.end());
  }
  add({.kind = Kind::kDict}).items = std::move(items);
}

void PickleMachine::extend(PickleValue& value, const Values& items) {
  if (value.kind == Kind::kDict && items.size() % 2 != 0) fail("has a key without its value");
  value.items.insert(value.items.end(), items.begin(), items.end());
}

// Attributes of an object, as the metadata of a state dict, are dropped.
void PickleMachine::build() {
  pop();
  if (stack_.size() == floor()) fail("gives state to a value where there is none");
  const Kind kind = stack_.back()->kind;
  if (kind != Kind::kDict && kind != Kind::kCall) fail("gives state to what is no object");
}

Pickle::Pickle(std::span<const std::byte> bytes, std::string where) {
  PickleMachine machine(bytes, std::move(where), values_);
  root_ = machine.run();
  size_ = machine.read();
}

std::vector<const PickleValue*> Pickle::references() const {
  std::vector<const PickleValue*> result;
  for (const PickleValue& value : values_) {
    if (value.kind == PickleValue::Kind::kReference) result.push_back(&value);
  }
  return result;
}

const PickleValue* find_item(const PickleValue& dict, std::string_view key) noexcept {
  if (dict.kind != PickleValue::Kind::kDict) return nullptr;
  for (std::size_t i = dict.items.size(); i >= 2; i -= 2) {
    const PickleValue& found = *dict.items[i - 2];
    if (found.kind == PickleValue::Kind::kText && found.text == key) return dict.items[i - 1];
  }
  return nullptr;
}

std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 80;
  std::string result(text.substr(0, kMost));
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return text.size() > kMost ? result + "..." : result;
}

}  // namespace lastbit
