#include "lastbit/state/pickle_machine.h"

#include <bit>

namespace lastbit {

const PickleValue* PickleMachine::run() {
  while (step()) {
  }
  if (stack_.size() != 1 || !marks_.empty()) {
    fail("stops with ", stack_.size(), " values, expected one");
  }
  return stack_.back();
}

// Opcodes as in Python's pickletools.
bool PickleMachine::step() {
  start_ = at_;
  const auto code = static_cast<char>(number(1));
  if (step_value(code) || step_container(code) || step_stack(code)) return true;
  switch (code) {
    case '\x80':
      if (const std::uint64_t protocol = number(1); protocol < 2 || protocol > 5) {
        fail("is of protocol ", protocol, ", expected 2 to 5");
      }
      break;
    case '\x95':  // the size of a frame, which nobody needs who has all bytes
      number(8);
      break;
    case '.':
      return false;
    case 'c': {
      const std::string_view module = line();
      add_class(module, line());
      break;
    }
    case '\x93': {
      const Values names = pop_several(2);
      if (names[0]->kind != Kind::kText || names[1]->kind != Kind::kText) {
        fail("names a class by what is no text");
      }
      add_class(names[0]->text, names[1]->text);
      break;
    }
    case 'R':
    case '\x81':
      reduce();
      break;
    case 'b':
      build();
      break;
    case 'Q': {
      const PickleValue* const description = pop();
      if (description->kind != Kind::kTuple) fail("refers to what is no tuple");
      spend(description->items.size());
      add({.kind = Kind::kReference}).items = description->items;
      break;
    }
    default:
      fail("has the opcode ",
           static_cast<unsigned>(static_cast<unsigned char>(code)),
           ", which is none of those that state dicts need");
  }
  return true;
}

bool PickleMachine::step_value(char code) {
  switch (code) {
    case 'N':
      add({});
      break;
    case '\x88':
    case '\x89':
      add({.kind = Kind::kBool, .integer = code == '\x88' ? 1 : 0});
      break;
    case 'J':
      add({.kind = Kind::kInteger, .integer = static_cast<std::int32_t>(number(4))});
      break;
    case 'K':
      add({.kind = Kind::kInteger, .integer = static_cast<std::int64_t>(number(1))});
      break;
    case 'M':
      add({.kind = Kind::kInteger, .integer = static_cast<std::int64_t>(number(2))});
      break;
    case '\x8a':
      add_long(take(number(1)));
      break;
    case '\x8b':
      add_long(take(number(4)));
      break;
    case 'G': {
      // Greatest byte first, unlike all other numbers.
      std::uint64_t bits = 0;
      for (const char byte : take(8)) bits = bits << 8U | static_cast<unsigned char>(byte);
      add({.kind = Kind::kReal, .real = std::bit_cast<double>(bits)});
      break;
    }
    case 'U':
    case '\x8c':
      add({.kind = Kind::kText, .text = take(number(1))});
      break;
    case 'T':
    case 'X':
      add({.kind = Kind::kText, .text = take(number(4))});
      break;
    case '\x8d':
      add({.kind = Kind::kText, .text = take(number(8))});
      break;
    case 'C':
      add({.kind = Kind::kBytes, .text = take(number(1))});
      break;
    case 'B':
      add({.kind = Kind::kBytes, .text = take(number(4))});
      break;
    case '\x8e':
      add({.kind = Kind::kBytes, .text = take(number(8))});
      break;
    default:
      return false;
  }
  return true;
}

bool PickleMachine::step_container(char code) {
  const auto add_tuple = [&](Values items) {
    add({.kind = Kind::kTuple}).items = std::move(items);
  };
  switch (code) {
    case ')':
      add_tuple({});
      break;
    case '\x85':
    case '\x86':
    case '\x87':
      add_tuple(pop_several(static_cast<unsigned char>(code) - 0x84U));
      break;
    case 't':
      add_tuple(pop_to_mark());
      break;
    case ']':
      add({.kind = Kind::kList});
      break;
    case '}':
      add({.kind = Kind::kDict});
      break;
    case '\x8f':
      add({.kind = Kind::kSet});
      break;
    case 'a': {
      const Values items = pop_several(1);
      extend(top(Kind::kList, "list"), items);
      break;
    }
    case 'e': {
      const Values items = pop_to_mark();
      extend(top(Kind::kList, "list"), items);
      break;
    }
    case '\x90': {
      const Values items = pop_to_mark();
      extend(top(Kind::kSet, "set"), items);
      break;
    }
    case 's': {
      const Values items = pop_several(2);
      extend(top(Kind::kDict, "dictionary"), items);
      break;
    }
    case 'u': {
      const Values items = pop_to_mark();
      extend(top(Kind::kDict, "dictionary"), items);
      break;
    }
    default:
      return false;
  }
  return true;
}

bool PickleMachine::step_stack(char code) {
  switch (code) {
    case '(':
      mark();
      break;
    case '0':
      if (stack_.size() == floor() && !marks_.empty()) {
        marks_.pop_back();
      } else {
        pop();
      }
      break;
    case '1':
      pop_to_mark();
      break;
    case '2': {
      const PickleValue* const value = pop();
      push(value);
      push(value);
      break;
    }
    case 'q':
      put(number(1));
      break;
    case 'r':
      put(number(4));
      break;
    case '\x94':
      put(memo_.size());
      break;
    case 'h':
      get(number(1));
      break;
    case 'j':
      get(number(4));
      break;
    default:
      return false;
  }
  return true;
}

}  // namespace lastbit
