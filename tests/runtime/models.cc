#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/graph/onnx.h"
#include "reference.h"

// Models of other makers under $LASTBIT_DATA/models.

namespace lastbit {
namespace {

class RealModel : public testing::TestWithParam<const char*> {};

TEST_P(RealModel, RunsAsTheReferenceDoes) {
  const char* folder = std::getenv("LASTBIT_DATA");
  if (folder == nullptr) GTEST_SKIP() << "needs LASTBIT_DATA";
  const std::filesystem::path path = std::filesystem::path(folder) / "models" / GetParam();
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs " << path;
  Random random(1);
  reference::expect_agreement(read_onnx(path), random);
}

INSTANTIATE_TEST_SUITE_P(Runtime,
                         RealModel,
                         testing::Values("vnncomp/mnist-net_256x2.onnx",
                                         "vnncomp/mnist-net_256x4.onnx",
                                         "vnncomp/cifar_base_kw.onnx",
                                         "vnncomp/cifar10_small.onnx",
                                         "vnncomp/resnet_2b.onnx"));

TEST(Session, LoadsAFileAndNamesTheOneThatIsMissing) {
  EXPECT_THROW(Session::load("/no/such/model.onnx"), InputError);
  const auto path = std::filesystem::path(testing::TempDir()) / "lastbit_runtime_load.onnx";
  Graph graph = reference::single({2, 3}, {reference::node("Relu", {"x"})});
  graph.outputs = {reference::value("y", {2, 3})};
  write_onnx(path, graph);
  Session session = Session::load(path);
  EXPECT_EQ(reference::run(session, {{-1, 2, -3, 4, -5, 6}})[0],
            (std::vector<float>{0, 2, 0, 4, 0, 6}));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace lastbit
