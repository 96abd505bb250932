#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/graph/onnx.h"
#include "tests/cli/training_test.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Verify : public TrainingTest {
 protected:
  void SetUp() override {
    make_model("float.onnx");
    succeed({"compress", "float.onnx", "--method", "dc", "--run", "run"});
  }
  Finished verify(const std::string& model, const Words& more = {}) const {
    Words words = {"verify", model, "--data", kTrainingData};
    words.insert(words.end(), more.begin(), more.end());
    return lastbit(words);
  }
  // Writes the compressed model with a change, in a folder without trained.onnx.
  void write_changed(const std::function<void(Graph&)>& change) const {
    Graph graph = read_onnx(path("run/compressed.onnx"));
    change(graph);
    write_onnx(path("alone/changed.onnx"), graph);
  }
  void expect_failure(const Words& more = {}) const {
    const Finished run = verify("alone/changed.onnx", more);
    EXPECT_EQ(run.code, 1) << run.err;
    EXPECT_THAT(run.out, HasSubstr("FAIL  "));
    EXPECT_THAT(run.out, HasSubstr("alone/changed.onnx: NOT verified\n"));
  }
  static LowBitTensor& lowbit(Graph& graph, const std::string& name) {
    return std::get<LowBitTensor>(graph.initializers.find(name)->second);
  }
  static void change_bias(Graph& graph) {
    auto& bias = std::get<Tensor>(graph.initializers.find("fc2.bias")->second);
    std::vector<float> values(bias.as_floats().begin(), bias.as_floats().end());
    values[3] += 1e-6F;
    bias = Tensor::floats(bias.shape(), values);
  }
};

TEST_F(Verify, ProvesWhatCompressWrote) {
  const Finished run = verify("run/compressed.onnx");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("ok    decoded weights have the SHA-256"));
  EXPECT_THAT(run.out, HasSubstr("ok    decoded weights equal run/trained.onnx bit for bit"));
  EXPECT_THAT(run.out, HasSubstr("ok    runtime agrees with LibTorch within 0.0001 on 200"));
  EXPECT_THAT(run.out, HasSubstr("ok    runtime and LibTorch have the same error"));
  EXPECT_THAT(run.out,
              HasSubstr("ok    kernels 'scalar' agrees with LibTorch within 0.0001 on 100"));
  EXPECT_THAT(run.out, HasSubstr("ok    kernels 'shift' agrees"));
  EXPECT_THAT(run.out, HasSubstr("ok    8-bit activations change the error by 0.5 points"));
  EXPECT_THAT(run.out, HasSubstr("run/compressed.onnx: verified\n"));
  EXPECT_THAT(run.out, Not(HasSubstr("FAIL")));
}

TEST_F(Verify, PrintsOneLineOfJsonWhereAsked) {
  const Finished run = verify("run/compressed.onnx", {"--json"});
  EXPECT_EQ(run.out.find('\n') + 1, run.out.size());
  const auto json = nlohmann::json::parse(run.out);
  EXPECT_EQ(json["verified"], true);
  EXPECT_GE(json["checks"].size(), 8U) << "five, and three sets of kernels beside the fastest";
  for (const auto& check : json["checks"]) EXPECT_EQ(check["holds"], true);
}

TEST_F(Verify, TakesAFileThatIsWrittenAnew) {
  write_changed([](Graph&) {});
  EXPECT_EQ(verify("alone/changed.onnx").code, 0);
  EXPECT_EQ(verify("alone/changed.onnx", {"--trained", "run/trained.onnx"}).code, 0);
}

TEST_F(Verify, FindsOneChangedCode) {
  write_changed([](Graph& graph) {
    Bytes& packed = lowbit(graph, "fc1.weight").packed;
    std::vector<std::uint8_t> bytes(packed.begin(), packed.end());
    bytes[1000] = bytes[1000] == 0 ? 1 : static_cast<std::uint8_t>(bytes[1000] - 1);
    packed = std::move(bytes);
  });
  expect_failure();
}

TEST_F(Verify, FindsAChangedScale) {
  write_changed([](Graph& graph) {
    float& scale = lowbit(graph, "fc2.weight").scales[0];
    scale = std::nextafter(scale, 2.0F * scale);
  });
  expect_failure();
}

TEST_F(Verify, FindsAChangedBias) {
  write_changed(change_bias);
  expect_failure();
}

TEST_F(Verify, FindsATrainedModelThatDiffers) {
  Graph trained = read_onnx(path("run/trained.onnx"));
  change_bias(trained);
  write_onnx(path("run/trained.onnx"), trained);
  const Finished run = verify("run/compressed.onnx");
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.out,
              HasSubstr("FAIL  decoded weights equal run/trained.onnx bit for bit: "
                        "'fc2.bias' differs"));
}

TEST_F(Verify, FindsAWeightThatWasNeverTrained) {
  Graph trained = read_onnx(path("run/trained.onnx"));
  trained.initializers.erase("fc2.bias");
  trained.nodes.back().inputs.resize(2);
  write_onnx(path("run/trained.onnx"), trained);
  const Finished run = verify("run/compressed.onnx");
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.out, HasSubstr("'fc2.bias'"));
}

TEST_F(Verify, RefusesAModelWithoutADigest) {
  expect_refusal(verify("float.onnx"), {"lastbit.weights.sha256", "lastbit compress"});
}

TEST_F(Verify, NamesATrainedModelThatIsMissing) {
  expect_refusal(verify("run/compressed.onnx", {"--trained", "none.onnx"}), {"none.onnx"});
}

}  // namespace
}  // namespace lastbit
