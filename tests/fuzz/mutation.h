#pragma once

#include <string>
#include <vector>

#include "lastbit/base/random.h"
#include "message.h"

namespace lastbit::fuzz {

/// Makes new inputs of known ones: changes of their bytes, which mostly break the format, and
/// changes of their fields, which mostly keep it and reach what comes after the reader.
class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds);

  std::size_t seeds() const noexcept { return seeds_.size(); }
  std::size_t size_of(std::size_t seed) const noexcept { return seeds_[seed].bytes.size(); }
  /// An input made of the seed of that index, with parts of others.
  std::string mutated(std::size_t seed, Random& random) const;
  /// An input made of any bytes.
  std::string mutated(const std::string& bytes, Random& random) const;

 private:
  void change_fields(Message& message, Random& random) const;
  std::string change_bytes(std::string bytes, Random& random) const;

  struct Seed {
    std::string bytes;
    Message message;  // empty where the bytes are none
  };
  std::vector<Seed> seeds_;
};

}  // namespace lastbit::fuzz
