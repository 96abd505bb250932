// A library that looks like ONNX Runtime's and behaves as the environment variable FAKE says.

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <unistd.h>

namespace {

std::string_view behaviour() {
  const char* const text = std::getenv("FAKE");
  return text == nullptr ? "" : text;
}

// A status is its message; null is success.
using Status = const char*;

const char* message(Status status) { return status; }
Status succeed() { return nullptr; }
Status create_session() { return behaviour() == "refuses" ? "no such operator" : nullptr; }

Status run() {
  if (behaviour() == "crashes") std::raise(SIGKILL);
  if (behaviour() == "ends") ::_exit(3);
  if (behaviour() == "hangs") ::pause();
  return behaviour() == "fails" ? "out of luck" : nullptr;
}

Status get_data(const void*, float** data) {
  static std::array<float, 10> values{};
  if (behaviour() == "nan") values[3] = std::numeric_limits<float>::quiet_NaN();
  *data = values.data();
  return nullptr;
}

Status get_type(const void*, int* type) {
  *type = behaviour() == "integers" ? 7 : 1;
  return nullptr;
}

Status get_count(const void*, std::size_t* count) {
  *count = behaviour() == "short" ? 9 : 10;
  return nullptr;
}

const void* const* get_api(std::uint32_t) {
  if (behaviour() == "old") return nullptr;
  static std::array<const void*, 80> table = [] {
    std::array<const void*, 80> result{};
    result.fill(reinterpret_cast<const void*>(&succeed));
    result[2] = reinterpret_cast<const void*>(&message);
    result[7] = reinterpret_cast<const void*>(&create_session);
    result[9] = reinterpret_cast<const void*>(&run);
    result[51] = reinterpret_cast<const void*>(&get_data);
    result[60] = reinterpret_cast<const void*>(&get_type);
    result[64] = reinterpret_cast<const void*>(&get_count);
    return result;
  }();
  return table.data();
}

const char* get_version() { return "0.0-fake"; }

struct Base {
  const void* const* (*get_api)(std::uint32_t);
  const char* (*get_version)();
};

}  // namespace

extern "C" const Base* OrtGetApiBase() {  // NOLINT(readability-identifier-naming)
  static const Base base{get_api, get_version};
  return &base;
}
