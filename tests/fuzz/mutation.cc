#include "mutation.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lastbit::fuzz {
namespace {

constexpr std::uint64_t kNumbers[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      7,
                                      8,
                                      13,
                                      15,
                                      16,
                                      17,
                                      31,
                                      32,
                                      33,
                                      63,
                                      64,
                                      127,
                                      128,
                                      255,
                                      256,
                                      1000,
                                      4096,
                                      65535,
                                      65536,
                                      1U << 20U,
                                      (1U << 30U) - 1,
                                      1U << 30U,
                                      0x7FFFFFFFU,
                                      0x80000000U,
                                      0xFFFFFFFFU,
                                      1ULL << 32U,
                                      1ULL << 40U,
                                      1ULL << 60U,
                                      (1ULL << 62U) + 1,
                                      0x7FFFFFFFFFFFFFFFULL,
                                      1ULL << 63U,
                                      ~0ULL,
                                      ~0ULL - 1,
                                      ~0ULL - 2};

constexpr std::uint32_t kFloatBits[] = {0,
                                        0x80000000U,   // -0
                                        0x3F800000U,   // 1
                                        0xBF800000U,   // -1
                                        0x7F800000U,   // infinity
                                        0xFF800000U,   // -infinity
                                        0x7FC00000U,   // not a number
                                        0x00000001U,   // the least above 0
                                        0x7F7FFFFFU};  // the largest

constexpr const char* kWords[] = {"Add",
                                  "AveragePool",
                                  "BatchNormalization",
                                  "Clip",
                                  "Concat",
                                  "Constant",
                                  "Conv",
                                  "Div",
                                  "Dropout",
                                  "Flatten",
                                  "Gemm",
                                  "Identity",
                                  "GlobalAveragePool",
                                  "LeakyRelu",
                                  "LogSoftmax",
                                  "MatMul",
                                  "MaxPool",
                                  "Mul",
                                  "Pad",
                                  "Relu",
                                  "Reshape",
                                  "Sigmoid",
                                  "Slice",
                                  "Softmax",
                                  "Squeeze",
                                  "Sub",
                                  "Tanh",
                                  "Transpose",
                                  "Unsqueeze",
                                  "Decode",
                                  "DecodeGroups",
                                  "lastbit",
                                  "pads",
                                  "strides",
                                  "dilations",
                                  "group",
                                  "kernel_shape",
                                  "auto_pad",
                                  "SAME_UPPER",
                                  "SAME_LOWER",
                                  "VALID",
                                  "ceil_mode",
                                  "axis",
                                  "perm",
                                  "transA",
                                  "transB",
                                  "alpha",
                                  "beta",
                                  "epsilon",
                                  "count_include_pad",
                                  "value",
                                  "value_ints",
                                  "location",
                                  "offset",
                                  "length",
                                  "x",
                                  ""};

// Mostly one: each is likely to be refused.
std::uint64_t changes(Random& random) { return random.below(3) == 0 ? random.below(4) + 2 : 1; }

std::uint64_t new_number(std::uint64_t old, Random& random) {
  switch (random.below(4)) {
    case 0:
      return kNumbers[random.below(std::size(kNumbers))];
    case 1:
      return old + random.below(9) - 4;
    case 2:
      return old ^ (std::uint64_t{1} << random.below(64));
    default:
      return random.below(12);
  }
}

std::string flip(std::string bytes, Random& random) {
  if (bytes.empty()) return "x";
  const std::size_t at = random.below(bytes.size());
  bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1U << random.below(8)));
  return bytes;
}

std::string new_text(const std::string& old, const std::string& other, Random& random) {
  switch (random.below(6)) {
    case 0:
      return kWords[random.below(std::size(kWords))];
    case 1:
      return other;
    case 2:
      return old.substr(0, random.below(old.size() + 1));
    case 3:
      return old + old.substr(0, 4096);
    case 4: {  // one float, where it may be floats
      if (old.size() < 4) return flip(old, random);
      std::string changed = old;
      const std::uint32_t bits = kFloatBits[random.below(std::size(kFloatBits))];
      std::memcpy(changed.data() + random.below(old.size() / 4) * 4, &bits, sizeof(bits));
      return changed;
    }
    default:
      return flip(old, random);
  }
}

// All fields of a message and of those in it, but not what looks like weights.
void collect(Message& message, std::vector<std::pair<Message*, std::size_t>>& all) {
  for (std::size_t i = 0; i < message.size(); ++i) {
    all.emplace_back(&message, i);
    collect(message[i].fields, all);
  }
}

}  // namespace

Mutator::Mutator(std::vector<std::string> seeds) {
  for (std::string& bytes : seeds) {
    Seed seed{std::move(bytes), {}};
    if (!parse_message(seed.bytes, seed.message)) seed.message.clear();
    seeds_.push_back(std::move(seed));
  }
}

std::string Mutator::mutated(std::size_t seed, Random& random) const {
  const Seed& from = seeds_[seed];
  if (from.message.empty() || random.below(5) == 0) return change_bytes(from.bytes, random);
  Message message = from.message;
  for (std::uint64_t i = changes(random); i > 0; --i) change_fields(message, random);
  std::string bytes = serialize(message);
  return random.below(20) == 0 ? change_bytes(std::move(bytes), random) : bytes;
}

std::string Mutator::mutated(const std::string& bytes, Random& random) const {
  Message message;
  if (!parse_message(bytes, message) || message.empty() || random.below(5) == 0) {
    return change_bytes(bytes, random);
  }
  for (std::uint64_t i = changes(random); i > 0; --i) change_fields(message, random);
  return serialize(message);
}

void Mutator::change_fields(Message& message, Random& random) const {
  std::vector<std::pair<Message*, std::size_t>> all;
  collect(message, all);
  if (all.empty()) return;
  const auto [parent, index] = all[random.below(all.size())];
  const auto [other_parent, other_index] = all[random.below(all.size())];
  Field& field = (*parent)[index];
  switch (random.below(12)) {
    case 0:
      parent->erase(parent->begin() + static_cast<std::ptrdiff_t>(index));
      return;
    case 1: {
      const Field copy = field;
      parent->insert(parent->begin() + static_cast<std::ptrdiff_t>(random.below(parent->size())),
                     copy);
      return;
    }
    case 2: {  // the value of another field
      const Field copy = (*other_parent)[other_index];
      const std::uint32_t number = random.below(4) == 0 ? copy.number : field.number;
      field = copy;
      field.number = number;
      return;
    }
    case 3:  // the order of neighbours
      std::swap(field, (*parent)[random.below(parent->size())]);
      return;
    case 4: {  // a field of another seed
      if (seeds_.empty()) return;
      Message other = seeds_[random.below(seeds_.size())].message;
      std::vector<std::pair<Message*, std::size_t>> theirs;
      collect(other, theirs);
      if (theirs.empty()) return;
      const auto [from, at] = theirs[random.below(theirs.size())];
      if ((*from)[at].number == field.number || random.below(4) == 0) field = (*from)[at];
      return;
    }
    case 5:
      field.number = static_cast<std::uint32_t>(random.below(32) + 1);
      return;
    default:
      break;
  }
  if (field.kind == Field::Kind::kVarint) {
    field.varint = new_number(field.varint, random);
  } else if (field.kind == Field::Kind::kMessage) {
    if (random.below(8) == 0) field.fields.clear();
  } else {
    const Field& other = (*other_parent)[other_index];
    const std::string theirs = other.bytes == nullptr ? std::string() : *other.bytes;
    std::string text = new_text(*field.bytes, theirs, random);
    if (field.kind == Field::Kind::kFixed) text.resize(field.bytes->size());
    field.bytes = std::make_shared<const std::string>(std::move(text));
  }
}

std::string Mutator::change_bytes(std::string bytes, Random& random) const {
  for (std::uint64_t i = random.below(6) + 1; i > 0; --i) {
    if (bytes.empty()) return bytes;
    // Names, shapes and attributes stand in the first and last bytes of many files.
    const std::size_t reach =
        random.below(2) == 0 ? std::min<std::size_t>(bytes.size(), 2048) : bytes.size();
    const std::size_t at =
        random.below(2) == 0 ? random.below(reach) : bytes.size() - 1 - random.below(reach);
    switch (random.below(6)) {
      case 0:
      case 1:
        bytes[at] =
            static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1U << random.below(8)));
        break;
      case 2:
        bytes[at] = static_cast<char>(random.below(256));
        break;
      case 3: {
        const std::uint64_t number = kNumbers[random.below(std::size(kNumbers))];
        const std::size_t size = std::min<std::size_t>(bytes.size() - at, random.below(8) + 1);
        std::memcpy(bytes.data() + at, &number, size);
        break;
      }
      case 4: {
        if (seeds_.empty()) break;
        const std::string& other = seeds_[random.below(seeds_.size())].bytes;
        const std::size_t from = random.below(other.size() + 1);
        const std::size_t size = std::min<std::size_t>(other.size() - from, random.below(200));
        bytes.replace(at, std::min(size, bytes.size() - at), other, from, size);
        break;
      }
      default:
        if (random.below(3) == 0) {
          bytes.resize(at);
        } else {
          bytes.erase(at, random.below(16));
        }
    }
  }
  return bytes;
}

}  // namespace lastbit::fuzz
