// The experiments on natural images, each started on a handful of random ones.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/base/text.h"
#include "tests/cli/training_test.h"
#include "tests/data/image_files.h"
#include "tests/data/voc_files.h"

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Experiments : public CommandTest {
 protected:
  // 20 training and 5 test images of CIFAR's form: an epoch is one step.
  void write_cifar() const {
    const auto records = [](int first, int count) {
      std::string bytes;
      for (int i = first; i < first + count; ++i) {
        bytes.push_back(static_cast<char>(i % 10));
        for (int k = 0; k < 3072; ++k) bytes.push_back(static_cast<char>(i * 37 + k * (i % 7)));
      }
      return bytes;
    };
    for (int i = 1; i <= 5; ++i) write(cat("cifar/data_batch_", i, ".bin"), records(4 * i, 4));
    write("cifar/test_batch.bin", records(30, 5));
  }

  // ImageNet's layout: two classes, three images each to train and one to test.
  void write_images() const {
    const auto image = png({8, 8}, PNG_FORMAT_RGB, ramps({8, 8}));
    for (const char* name : {"cat", "dog"}) {
      for (const char* file : {"a.png", "b.png", "c.png"}) {
        write(cat("images/train/", name, "/", file), image);
      }
      write(cat("images/val/", name, "/d.png"), image);
    }
  }

  static Words words_of(const std::string& experiment, const Words& more) {
    Words words = {"reproduce", experiment, "--threads", "1", "--run", "run"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  // The settings of the rows of figures on the test part, in their order; all rows are checked for
  // what must hold on data that nothing was published of.
  Words settings(const std::string& experiment,
                 Words more,
                 const std::string& measure = "error %") const {
    more.emplace_back("--json");
    const Finished run = succeed(words_of(experiment, more));
    EXPECT_EQ(run.out, read("run/reproduce.json"));
    Words result;
    for (const auto& row : nlohmann::json::parse(run.out)) {
      EXPECT_EQ(row.at("experiment"), experiment);
      EXPECT_TRUE(row.at("published").is_null());
      EXPECT_EQ(row.at("seeds"), 1);
      EXPECT_EQ(row.at("sd"), 0.0);
      const auto metric = row.at("metric").get<std::string>();
      if (metric.starts_with("test ")) {
        EXPECT_EQ(metric, "test " + measure);
        result.push_back(row.at("setting"));
      }
    }
    return result;
  }

  void refuses(const std::string& experiment, const Words& more, const Words& parts) const {
    expect_refusal(lastbit(words_of(experiment, more)), parts);
    EXPECT_THAT(read("run/reproduce.json"), IsEmpty());
  }
};

TEST_F(Experiments, StartTheTableOfParq) {
  write_cifar();
  const Words chosen = {"--data",
                        "cifar",
                        "--quick",
                        "--nets",
                        "resnet20",
                        "--only",
                        "parq, ternary",
                        "--only",
                        "lc, binary*"};
  const Words rows = {"resnet20, float reference",
                      "resnet20, parq, ternary",
                      "resnet20, lc, binary, from the float reference"};
  EXPECT_EQ(settings("parq-table1", chosen), rows);
  EXPECT_THAT(names(),
              ::testing::IsSupersetOf({"run/resnet20-first-0/reference.onnx",
                                       "run/resnet20-reference-0/reference.onnx",
                                       "run/resnet20-parq__ternary-0/compressed.onnx"}));
  EXPECT_THAT(read("run/resnet20-first-0/job.json"), HasSubstr("--epochs=0"));
  EXPECT_THAT(read("run/resnet20-parq__ternary-0/job.json"), HasSubstr("resnet20-first-0"));

  const Finished again = succeed(words_of("parq-table1", chosen));
  EXPECT_THAT(again.err, HasSubstr("2 of 2 were done before\n2 of 2 were done before\n"));
  Words asked = chosen;
  asked.emplace_back("--finished");
  std::filesystem::remove(path("run/resnet20-parq__ternary-0/job.json"));
  EXPECT_EQ(settings("parq-table1", asked), (Words{rows[0], rows[2]}));
}

TEST_F(Experiments, StartFromAReferenceThatIsGiven) {
  write_cifar();
  succeed({"zoo", "resnet56", "--input", "3,32,32", "--out", "float.onnx"});
  EXPECT_THAT(settings("parq-table1",
                       {"--data",
                        "cifar",
                        "--epochs",
                        "1",
                        "--nets",
                        "resnet56",
                        "--reference",
                        "resnet56=float.onnx",
                        "--only",
                        "admm, ternary*"}),
              ElementsAre("resnet56, float reference",
                          "resnet56, admm, ternary, from the float reference"));
  EXPECT_THAT(names(), Not(::testing::Contains("run/resnet56-reference-0")));
}

TEST_F(Experiments, StartMirrorDescentOnCifar) {
  write_cifar();
  EXPECT_THAT(
      settings("md-cifar10",
               {"--data", "cifar", "--epochs", "1", "--nets", "resnet18", "--only", "md-tanh-s"}),
      ElementsAre("resnet18, md-tanh-s"));
}

TEST_F(Experiments, StartLcOnVgg) {
  write_cifar();
  EXPECT_THAT(settings("lc-vgg-cifar10",
                       {"--data", "cifar", "--epochs", "1", "--only", "lc, K=2, 300 epochs"}),
              ElementsAre("float reference", "lc, K=2, 300 epochs"));
}

TEST_F(Experiments, StartAdmmOnFoldersOfImages) {
  write_images();
  EXPECT_THAT(settings("admm-imagenet",
                       {"--data",
                        "imagefolder:images",
                        "--epochs",
                        "1",
                        "--nets",
                        "googlenet",
                        "--only",
                        "admm, shift:2"}),
              ElementsAre("googlenet, float reference", "googlenet, admm, shift:2"));
}

TEST_F(Experiments, StartMirrorDescentOnFoldersOfImages) {
  write_images();
  EXPECT_THAT(settings("md-imagenet",
                       {"--data",
                        "imagefolder:images",
                        "--epochs",
                        "1",
                        "--nets",
                        "mobilenetv2",
                        "--only",
                        "md-softmax-s*"}),
              ElementsAre("mobilenetv2, float reference", "mobilenetv2, md-softmax-s, binary"));
}

TEST_F(Experiments, StartLanguageModels) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += cat("the word number ", i, " is a word\n");
  write("small.train.txt", text);
  write("small.test.txt", text.substr(0, 100));
  EXPECT_THAT(settings("lm-ptb",
                       {"--data",
                        "words:small",
                        "--data-dir",
                        ".",
                        "--epochs",
                        "1",
                        "--only",
                        "admm, ternary",
                        "--only",
                        "md-softmax-s, shift:2"},
                       "perplexity"),
              ElementsAre("float reference", "admm, ternary", "md-softmax-s, shift:2"));
}

TEST_F(Experiments, StartDetectors) {
  if (!LASTBIT_WITH_XML) GTEST_SKIP() << "needs a build with Expat";
  for (int i = 0; i < 5; ++i) {  // the fifth is for testing
    write(cat("boxes/JPEGImages/", i, ".png"), png({16, 16}, PNG_FORMAT_RGB, ramps({16, 16})));
    write(cat("boxes/Annotations/", i, ".xml"),
          voc_xml(16, 16, voc_object("thing", "2", "3", "9", "12")));
  }
  EXPECT_THAT(
      settings("ssd-voc",
               {"--data",
                "voc:boxes",
                "--data-dir",
                ".",
                "--epochs",
                "1",
                "--nets",
                "ssd300-darknet",
                "--only",
                "admm, shift:2, 1x1 float"},
               "mAP %"),
      ElementsAre("ssd300-darknet, float reference", "ssd300-darknet, admm, shift:2, 1x1 float"));
}

TEST_F(Experiments, RefuseNetworksThatTheyDoNotHave) {
  refuses("parq-table1",
          {"--nets", "resnet20,resnet21"},
          {"[nets]", "'resnet21'", "resnet20, resnet56"});
  refuses("lc-lenet300", {"--nets", "lenet5"}, {"[nets]", "'lenet5'", "lenet300"});
  refuses("lc-superresolution", {"--nets", "lenet5"}, {"lc-superresolution", "--nets"});
}

TEST_F(Experiments, RefuseSettingsThatTheyDoNotHave) {
  refuses("parq-table1", {"--only", "lsq*"}, {"[only]", "'lsq*'", "parq, ternary"});
}

TEST_F(Experiments, RefuseReferencesThatDoNotFit) {
  refuses("parq-table1", {"--reference", "resnet20"}, {"[reference]", "NETWORK=FILE.onnx"});
  refuses("parq-table1", {"--reference", "resnet20=none.onnx"}, {"[reference]", "none.onnx"});
  write("a.onnx", "");
  refuses("parq-table1", {"--reference", "vgg16=a.onnx"}, {"[reference]", "'vgg16'", "resnet56"});
  refuses("parq-table1",
          {"--nets", "resnet20", "--reference", "resnet56=a.onnx"},
          {"[reference]", "'resnet56'"});
  refuses("parq-table1",
          {"--reference", "resnet20=a.onnx", "--reference", "resnet20=a.onnx"},
          {"[reference]", "'resnet20'", "twice"});
}

TEST_F(Experiments, RefuseDataThatDoNotFit) {
  refuses("parq-table1",
          {"--data", kTrainingData},
          {"[1, 28, 28]", "parq-table1", "[3, 32, 32]", "cifar10"});
  write_cifar();
  refuses("lc-lenet300", {"--data", "cifar"}, {"[3, 32, 32]", "lc-lenet300", "[1, 28, 28]"});
  refuses("lm-ptb", {"--data", "cifar"}, {"lm-ptb", "--data words:PATH"});
  refuses("ssd-voc", {"--data", "cifar"}, {"ssd-voc", "--data voc:"});
  refuses("admm-imagenet", {"--data", "cifar"}, {"'cifar'", "--data imagefolder:PATH"});
}

TEST_F(Experiments, SayWhichDataAreMissing) {
  refuses("parq-table1", {}, {"cifar10"});
  refuses("md-imagenet", {}, {"md-imagenet needs images", "--data imagefolder:PATH", "PATH/val"});
  refuses("md-imagenet", {"--data", "imagefolder:nowhere"}, {"nowhere"});
  refuses("lm-ptb", {}, {"'ptb'"});
  refuses("ssd-voc", {}, {"ssd-voc needs images", "VOC2007"});
  write("empty/train/README", "");
  refuses("md-imagenet", {"--data", "imagefolder:empty"}, {"empty"});
}

}  // namespace
}  // namespace lastbit
