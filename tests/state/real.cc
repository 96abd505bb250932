#include <cmath>
#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/file.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/session.h"
#include "lastbit/state/fill.h"
#include "lastbit/state/torch_file.h"
#include "lastbit/zoo/zoo.h"
#include "tests/data/files.h"

// Files of real PyTorch, in $LASTBIT_DATA/models.

namespace lastbit {
namespace {

using ::testing::AnyOf;
using ::testing::StartsWith;

class RealState : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const root = std::getenv("LASTBIT_DATA");
    if (root != nullptr) folder_ = std::filesystem::path(root) / "models";
    if (root == nullptr || !std::filesystem::exists(folder_ / "cifar10-resnet")) {
      GTEST_SKIP() << "needs models/cifar10-resnet in $LASTBIT_DATA";
    }
  }

  Graph filled(const std::string& network, const std::string& file) const {
    Graph graph =
        make_network(network, {.input = {3, 32, 32}, .center = "none", .shortcut = "pad"});
    const std::vector<StateTensor> state = read_state(folder_ / "cifar10-resnet" / file);
    fill_by_name(graph, state, name_state(graph, state, {}).names);
    return graph;
  }

  std::filesystem::path folder_;
};

std::vector<float> outputs(const Graph& graph, const std::vector<float>& input) {
  Session session(graph, {.batch = 4});
  std::vector<float> output(40);
  const std::span<const float> in = input;
  const std::span<float> out = output;
  session.run({&in, 1}, {&out, 1});
  return output;
}

TEST_F(RealState, GivesTheNetworkOfTheOnnxFile) {
  Random random(1, 0);
  std::vector<float> images(std::size_t{4} * 3 * 32 * 32);
  for (float& x : images) x = static_cast<float>(random.normal());
  const auto compare = [&](const Graph& graph, const std::string& file) {
    const std::vector<float> expected =
        outputs(read_onnx(folder_ / "cifar10-resnet" / file), images);
    const std::vector<float> logits = outputs(graph, images);
    for (std::size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(logits[i], expected[i], 1e-4F);
  };
  const Graph pickled = filled("resnet20", "resnet20-12fca82f.th");
  compare(pickled, "resnet20.onnx");
  EXPECT_EQ(serialize_onnx(filled("resnet20", "resnet20-12fca82f.safetensors")),
            serialize_onnx(pickled));
  EXPECT_EQ(serialize_onnx(filled("resnet20", "resnet20.onnx")), serialize_onnx(pickled));
  compare(filled("resnet56", "resnet56.onnx"), "resnet56.onnx");
}

TEST_F(RealState, HasTheTensorsOfTheSafetensorsFiles) {
  for (const auto& [pickled, plain] :
       {std::pair("blazeface/blazeface.pth", "blazeface/blazeface.safetensors"),
        std::pair("mtcnn/pnet.pt", "mtcnn/pnet.safetensors")}) {
    std::vector<StateTensor> expected = read_state(folder_ / plain);
    std::vector<StateTensor> state = read_state(folder_ / pickled);
    ASSERT_EQ(state.size(), expected.size());
    std::ranges::sort(state, {}, &StateTensor::name);
    for (std::size_t i = 0; i < state.size(); ++i) {
      EXPECT_EQ(state[i].name, expected[i].name);
      EXPECT_EQ(state[i].shape, expected[i].shape);
      EXPECT_EQ(state[i].read(), expected[i].read()) << state[i].name;
    }
  }
}

TEST_F(RealState, RefusesAProgramOfTorchScript) {
  EXPECT_THAT(error_of([&] { read_state(folder_ / "silero-vad" / "silero_vad.jit"); }),
              ::testing::HasSubstr("is a TorchScript program"));
}

// A damaged file is refused with a sentence, or gives tensors that can be read.
TEST_F(RealState, SurvivesDamage) {
  for (const char* const name : {"mtcnn/pnet.pt", "cifar10-resnet/resnet20-12fca82f.th"}) {
    const MappedFile file(folder_ / name);
    const auto* const begin = reinterpret_cast<const char*>(file.bytes().data());
    const std::string whole(begin, file.bytes().size());
    const auto error_with = [](const std::string& bytes) {
      const auto exact = std::make_shared<std::vector<char>>(bytes.begin(), bytes.end());
      return error_of([&] {
        for (const StateTensor& tensor :
             read_torch(std::as_bytes(std::span(*exact)), exact, "[pytorch] a")) {
          tensor.read();
        }
      });
    };
    // The pickles are some 14 KB of the larger file.
    for (std::size_t size = 0; size < whole.size(); size += size < 14'100 ? 37 : 50'021) {
      EXPECT_THAT(error_with(whole.substr(0, size)), StartsWith("[pytorch] a")) << size;
    }
    for (std::size_t byte = 0; byte < std::min<std::size_t>(14'100, whole.size()); byte += 11) {
      std::string changed = whole;
      changed[byte] = static_cast<char>(changed[byte] ^ (1 << byte % 8));
      EXPECT_THAT(error_with(changed), AnyOf("no exception", StartsWith("[pytorch] a"))) << byte;
    }
  }
}

}  // namespace
}  // namespace lastbit
