#include <cmath>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/graph/onnx.h"
#include "tests/cli/program.h"
#include "tests/cli/training_test.h"

// The mean and the deviation that a trained network takes off its input.

namespace lastbit {
namespace {

using ::testing::ElementsAre;

// Eight colour images of 2 x 2 pixels in two classes; the last channel is the same everywhere.
class TrainNormalization : public TrainingTest {
 protected:
  void SetUp() override {
    for (int i = 0; i < 8; ++i) {
      for (const int pixel : {10 * i, 10 * i, 10 * i + 40, 10 * i + 40}) add(pixel);
      for (const int pixel : {0, 255, 0, 255}) add(pixel);
      for (int j = 0; j < 4; ++j) add(99);
    }
    const std::string labels("\0\1\0\1\0\1\0\1", 8);
    for (const char* part : {"train", "test"}) {
      write(std::string("set/x_") + part + ".npy", npy("|u1", "(8, 3, 2, 2)", pixels_));
      write(std::string("set/y_") + part + ".npy", npy("|u1", "(8,)", labels));
    }
  }
  void add(int pixel) { pixels_.push_back(static_cast<char>(pixel)); }

  static Words words(const Words& more, const std::string& data = "set") {
    Words result = {"train", "mlp", "--hidden", "4", "--data", data, "--epochs", "1"};
    result.insert(result.end(), {"--threads", "1", "--run", "run", "--force"});
    result.insert(result.end(), more.begin(), more.end());
    return result;
  }
  Graph trained(const Words& more, const std::string& data = "set") const {
    succeed(words(more, data));
    return read_onnx(path("run/reference.onnx"));
  }
  static std::vector<float> values(const Graph& graph, const char* name) {
    const auto floats = std::get<Tensor>(*graph.find_initializer(name)).as_floats();
    return {floats.begin(), floats.end()};
  }

 private:
  std::string pixels_;
};

TEST_F(TrainNormalization, OfColourImagesIsThatOfTheTrainingSamplesByChannel) {
  for (const Words& more : {Words{}, Words{"--normalize", "data"}}) {
    const Graph graph = trained(more);
    EXPECT_EQ(graph.nodes[0].op, "Sub");
    EXPECT_EQ(graph.nodes[1].op, "Div");
    const auto mean = values(graph, "input.mean");
    const auto deviation = values(graph, "input.deviation");
    // The mean of 0, 10 ... 70 is 35 and their variance 525; 0 or 40 beside them adds 20 and 400.
    // All are below 1, and rounded a few times.
    EXPECT_NEAR(mean[0], 55.0 / 255.0, 0x1p-22);
    EXPECT_NEAR(deviation[0], std::sqrt(925.0) / 255.0, 0x1p-22);
    EXPECT_NEAR(mean[1], 0.5, 0x1p-22);
    EXPECT_NEAR(deviation[1], 0.5, 0x1p-22);
    EXPECT_NEAR(mean[2], 99.0 / 255.0, 0x1p-22);
    EXPECT_EQ(deviation[2], 1.0F);
  }
}

TEST_F(TrainNormalization, IsAsAskedFor) {
  const Graph mean = trained({"--normalize", "mean"});
  EXPECT_EQ(values(mean, "input.mean").size(), 3U);
  EXPECT_EQ(mean.find_initializer("input.deviation"), nullptr);
  const Graph pixel = trained({"--center", "pixel"});
  EXPECT_EQ(values(pixel, "input.mean").size(), 12U);
  EXPECT_EQ(pixel.find_initializer("input.deviation"), nullptr);
  const Graph imagenet = trained({"--normalize", "imagenet"});
  EXPECT_THAT(values(imagenet, "input.mean"), ElementsAre(0.485F, 0.456F, 0.406F));
  EXPECT_THAT(values(imagenet, "input.deviation"), ElementsAre(0.229F, 0.224F, 0.225F));
  const Graph none = trained({"--normalize", "none"});
  EXPECT_EQ(none.find_initializer("input.mean"), nullptr);
}

// The file takes images as they are: what training reports, eval finds.
TEST_F(TrainNormalization, IsPartOfTheFile) {
  const auto result = nlohmann::json::parse(succeed(words({"--json"})).out);
  const Finished run = succeed({"eval", "run/reference.onnx", "--data", "set", "--json"});
  const auto eval = nlohmann::json::parse(run.out);
  EXPECT_EQ(eval["error"], result["test"]["error"]);
  EXPECT_NEAR(eval["loss"].get<double>(), result["test"]["loss"].get<double>(), 1e-4);
}

TEST_F(TrainNormalization, RefusesWhatDoesNotFit) {
  expect_refusal(lastbit(words({"--normalize", "data", "--center", "pixel"})),
                 {"--normalize data works by channel", "--center is pixel"});
  expect_refusal(lastbit(words({"--normalize", "mnist"})), {"mnist", "imagenet", "cifar10"});
  expect_refusal(lastbit(words({"--input", "12"})), {"has 3 numbers, that of the network 12"});
  trained({});
  expect_refusal(lastbit({"train", "run/reference.onnx", "--data", "set", "--normalize", "data"}),
                 {"--normalize data", "expected an architecture"});
}

// Of a vector each number is a channel.
TEST_F(TrainNormalization, OfVectorsIsTheMeanUnlessMoreIsAskedFor) {
  const std::string numbers("\0\4\2\4\4\4\6\4", 8);
  const std::string labels("\0\1\0\1", 4);
  for (const char* part : {"train", "test"}) {
    write(std::string("rows/x_") + part + ".npy", npy("|u1", "(4, 2)", numbers));
    write(std::string("rows/y_") + part + ".npy", npy("|u1", "(4,)", labels));
  }
  const Graph mean = trained({}, "rows");
  EXPECT_THAT(values(mean, "input.mean"), ElementsAre(3.0F / 255.0F, 4.0F / 255.0F));
  EXPECT_EQ(mean.find_initializer("input.deviation"), nullptr);
  const Graph whole = trained({"--normalize", "data"}, "rows");
  EXPECT_NEAR(values(whole, "input.deviation")[0], std::sqrt(5.0) / 255.0, 0x1p-22);
  EXPECT_EQ(values(whole, "input.deviation")[1], 1.0F);
}

}  // namespace
}  // namespace lastbit
