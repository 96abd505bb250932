#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/session.h"

namespace lastbit {

Session Session::load(const std::filesystem::path& path, const SessionOptions& options) {
  return Session(read_onnx(path, {.keep_bytes = true}), options);
}

}  // namespace lastbit
