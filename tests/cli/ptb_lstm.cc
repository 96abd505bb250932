#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/cli/language_model.h"
#include "lastbit/data/text.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/safetensors/safetensors.h"
#include "lastbit/zoo/zoo.h"
#include "tests/data/files.h"

// A network that another program trained on the Penn Treebank, put into our form.

namespace lastbit {
namespace {

constexpr std::int64_t kWords = 10000;
constexpr std::int64_t kUnits = 100;

float half(std::uint16_t bits) {
  const int exponent = (bits >> 10U) & 31;
  const int fraction = bits & 1023;
  const float value = exponent == 0
                          ? std::ldexp(static_cast<float>(fraction), -24)
                          : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  return (bits & 0x8000U) != 0 ? -value : value;
}

class PtbLstm : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const data = std::getenv("LASTBIT_DATA");
    if (data == nullptr) GTEST_SKIP() << "needs $LASTBIT_DATA";
    folder_ = std::filesystem::path(data) / "models" / "ptb-lstm";
    if (!std::filesystem::exists(folder_ / "ptb_lstm_f16.safetensors")) {
      GTEST_SKIP() << "needs models/ptb-lstm in $LASTBIT_DATA";
    }
    weights_ = read_safetensors(folder_ / "ptb_lstm_f16.safetensors");
  }

  std::vector<float> floats(const std::string& name) const {
    const Tensor& tensor = weights_.tensors.at(name);
    EXPECT_EQ(tensor.type(), DType::kFloat16);
    std::vector<float> result(static_cast<std::size_t>(tensor.size()));
    for (std::size_t i = 0; i < result.size(); ++i) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, tensor.bytes().data() + 2 * i, 2);
      result[i] = half(bits);
    }
    return result;
  }

  // A matrix [inputs, f g i o] as ONNX's [1, i o f c, inputs]; a bias is one of a single input.
  std::vector<float> gates(const std::string& name, std::int64_t inputs) const {
    constexpr std::int64_t kFrom[] = {2, 3, 0, 1};
    const std::vector<float> from = floats(name);
    std::vector<float> to;
    for (const std::int64_t gate : kFrom) {
      for (std::int64_t unit = 0; unit < kUnits; ++unit) {
        for (std::int64_t i = 0; i < inputs; ++i) {
          to.push_back(from[static_cast<std::size_t>(i * 4 * kUnits + gate * kUnits + unit)]);
        }
      }
    }
    return to;
  }

  Graph graph() const {
    Graph graph = make_network("lstm-lm", {.words = kWords, .units = kUnits, .layers = 1});
    const auto set = [&](const std::string& name, const std::vector<float>& values) {
      Initializer& initializer = graph.initializers.at(name);
      initializer = Tensor::floats(shape_of(initializer), values);
    };
    set("embedding.weight", floats("embed.W"));
    set("lstm1.input.weight", gates("lstm.Wx", kUnits));
    set("lstm1.recurrent.weight", gates("lstm.Wh", kUnits));
    std::vector<float> bias = gates("lstm.b", 1);
    bias.resize(2 * bias.size());
    set("lstm1.bias", bias);
    set("softmax.weight", floats("affine.W"));
    set("softmax.bias", floats("affine.b"));
    std::vector<std::string> words;
    std::ifstream file(folder_ / "vocab.txt");
    for (std::string line; std::getline(file, line);) words.push_back(line);
    set_vocabulary(graph, Vocabulary(TextUnits::kWords, words, "[test] vocab.txt"));
    return graph;
  }

  std::filesystem::path folder_;
  Safetensors weights_;
};

TEST_F(PtbLstm, HasTheSamePerplexityHere) {
  const TempFolder temporary;
  const std::filesystem::path file = temporary.path() / "ptb.onnx";
  write_onnx(file, graph());
  LanguageModel model(read_onnx(file), "[test] ptb.onnx", {});
  const TextSet text = open_text("words:lm/ptb", {}, &model.vocabulary());
  EXPECT_EQ(text.test.unknown, 0);
  const TextScore score = score_text(model, text.test);
  EXPECT_EQ(score.tokens, 82'429);
  EXPECT_NEAR(score.perplexity(), 135.84, 0.02);
}

}  // namespace
}  // namespace lastbit
