#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "mutation.h"
#include "seeds.h"
#include "target.h"

// The same target for clang's libFuzzer, which keeps the inputs that reach new code.

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lastbit::fuzz::try_model(std::as_bytes(std::span(data, size)));
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data,
                                               std::size_t size,
                                               std::size_t most,
                                               unsigned seed) {
  static const lastbit::fuzz::Mutator mutator(lastbit::fuzz::seeds());
  if (seed % 4 == 0) return LLVMFuzzerMutate(data, size, most);
  lastbit::Random random(seed);
  const std::string bytes =
      mutator.mutated(std::string(reinterpret_cast<const char*>(data), size), random);
  if (bytes.empty() || bytes.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}
