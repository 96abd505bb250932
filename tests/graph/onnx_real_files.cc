#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/shapes.h"

namespace lastbit {
namespace {

// "" where all shapes follow, else why not.
std::string read_and_infer(const std::filesystem::path& path) {
  try {
    const Graph graph = read_onnx(path);
    infer_shapes(graph, 1);
    const std::string bytes = serialize_onnx(graph);
    EXPECT_EQ(serialize_onnx(parse_onnx(std::as_bytes(std::span(bytes)))), bytes) << path;
    return {};
  } catch (const InputError& error) {
    return error.what();
  }
}

TEST(RealFiles, AreReadOrRefusedWithAClearSentence) {
  const char* data = std::getenv("LASTBIT_DATA");
  if (data == nullptr || !std::filesystem::exists(std::filesystem::path(data) / "models")) {
    GTEST_SKIP() << "set LASTBIT_DATA to a folder with models/*.onnx";
  }
  int read = 0;
  int files = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::filesystem::path(data) / "models")) {
    if (entry.path().extension() != ".onnx") continue;
    ++files;
    const std::string reason = read_and_infer(entry.path());
    if (reason.empty()) ++read;
    const bool clear = reason.empty() || reason.find("not supported") != std::string::npos ||
                       reason.find("means something else") != std::string::npos ||
                       reason.find("must be constant") != std::string::npos ||
                       reason.find("not all known") != std::string::npos;
    EXPECT_TRUE(clear) << entry.path() << ": " << reason;
  }
  if (files > 0) {
    EXPECT_GT(read, 0) << "of " << files << " files";
  }
}

}  // namespace
}  // namespace lastbit
