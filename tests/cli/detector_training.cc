#include <csignal>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/data/image.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/parameters.h"
#include "tests/cli/training_test.h"
#include "tests/data/voc_files.h"

// Detectors from training to the packed file.

namespace lastbit {
namespace {

using ::testing::HasSubstr;

constexpr int kSide = 64;

class DetectorTraining : public TrainingTest {
 protected:
  // Pictures with one square each, of two classes, as PASCAL VOC's; every fifth is for testing.
  void write_pictures(const std::string& folder, int count = 10) const {
    Random random(2);
    for (int i = 0; i < count; ++i) {
      const bool red = i % 2 == 0;
      Image image{.size = {kSide, kSide},
                  .pixels = std::vector<std::uint8_t>(3 * kSide * kSide, 90)};
      const int left = static_cast<int>(random.below(30));
      const int top = static_cast<int>(random.below(30));
      for (int y = top; y < top + 25; ++y) {
        for (int x = left; x < left + 25; ++x) {
          image.pixels[static_cast<std::size_t>(3 * (y * kSide + x) + (red ? 0 : 1))] = 250;
        }
      }
      write(cat(folder, "/JPEGImages/", i, ".png"), encode_png(image));
      const std::string object = voc_object(
          red ? "red" : "green", cat(left + 1), cat(top + 1), cat(left + 25), cat(top + 25));
      write(cat(folder, "/Annotations/", i, ".xml"), voc_xml(kSide, kSide, object));
    }
  }

  static Words boxes(const Words& words, const std::string& run) {
    return with(words,
                {"--data",
                 "voc:pictures",
                 "--data-dir",
                 ".",
                 "--batch",
                 "4",
                 "--threads",
                 "1",
                 "--run",
                 run});
  }
  static Words train(const std::string& run) {
    return boxes({"train", "ssd-small", "--input", "3,64,64", "--epochs", "3", "--lr", "0.01"},
                 run);
  }
  static Words compress(const std::string& model, const std::string& run) {
    return boxes({"compress", model, "--epochs", "1", "--finish-epochs", "1"}, run);
  }
  nlohmann::json result_of(const std::string& run) const {
    return nlohmann::json::parse(read(run + "/result.json"));
  }
};

TEST_F(DetectorTraining, GoesFromPicturesToThePackedFile) {
  write_pictures("pictures");
  const Finished run = succeed(train("float"));
  EXPECT_THAT(run.out, HasSubstr("mAP"));
  const Graph graph = read_onnx(path("float/reference.onnx"));
  EXPECT_EQ(graph.metadata.at("lastbit.classes"), R"(["green","red"])");
  EXPECT_EQ(graph.outputs.size(), 3U);
  EXPECT_TRUE(result_of("float")["test"].contains("map"));
  for (const nlohmann::json& entry : log_of("float")) {
    if (!entry.contains("epoch")) continue;
    EXPECT_GT(entry["loss"], 0.0) << entry;
  }

  succeed(with(compress("float/reference.onnx", "small"),
               {"--method", "admm", "--codebook", "ternary", "--codebook", "kernel:1x1=float"}));
  const Graph small = read_onnx(path("small/compressed.onnx"));
  EXPECT_EQ(small.metadata.at("lastbit.classes"), R"(["green","red"])");
  for (const WeightUse& use : lowbit_candidates(small)) {
    const bool packed =
        std::holds_alternative<LowBitTensor>(*small.find_initializer(use.initializer));
    EXPECT_EQ(packed, shape_of(*small.find_initializer(use.initializer))[2] != 1) << use.layer;
  }
  EXPECT_TRUE(result_of("small")["test"].contains("map"));
}

TEST_F(DetectorTraining, GoesOnWhereItWasStopped) {
  write_pictures("pictures");
  succeed(train("whole"));
  const Words stopped = with(train("stopped"), {"--checkpoint", "1e-9", "--resume"});
  {
    Program program(stopped, {.folder = folder_.path()});
    program.wait_for("epoch 1/3");
    program.send(SIGKILL);
    program.finish();
  }
  ASSERT_FALSE(std::filesystem::exists(path("stopped/result.json")));
  succeed(with(train("stopped"), {"--resume"}));
  EXPECT_EQ(read("whole/reference.onnx"), read("stopped/reference.onnx"));
}

TEST_F(DetectorTraining, RefusesWhatDoesNotFit) {
  write_pictures("pictures");
  const auto refuse = [&](const Words& words, const Words& expected) {
    expect_refusal(lastbit(words), expected);
  };
  refuse(boxes({"train", "lenet5"}, "r"), {"'lenet5' does not find", "ssd-small"});
  refuse({"train", "ssd-small", "--data", kTrainingData, "--run", "r"},
         {"finds boxes", "voc:PATH"});
  refuse(with(train("r"), {"--augment", "pad4"}), {"'pad4'", "none, flip, ssd"});
  refuse(with(train("r"), {"--augment", "ssd0.5"}), {"'ssd0.5'", "none, flip, ssd"});
  refuse(with(train("r"), {"--classes", "3"}), {"--classes is 3", "green, red"});
  refuse(training({"train", "mlp", "--hidden", "16"}, {"--augment", "ssd", "--run", "r"}),
         {"'ssd' is for images with boxes"});
  make_model("mlp.onnx");
  refuse(compress("mlp.onnx", "r"), {"[detector]", "class_logits"});
  succeed({"zoo", "ssd-small", "--input", "3,64,64", "--classes", "2", "--out", "nameless.onnx"});
  refuse(compress("nameless.onnx", "r"), {"lastbit.classes", "names of its classes"});
  Graph graph = read_onnx(path("nameless.onnx"));
  graph.metadata["lastbit.classes"] = R"(["green","blue"])";
  write_onnx(path("other.onnx"), graph);
  refuse(compress("other.onnx", "r"), {"'red'", "green, blue"});
}

}  // namespace
}  // namespace lastbit
