#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

// Data sets on the command line: every format, and what is wrong with files.

namespace lastbit {
namespace {

using ::testing::HasSubstr;

// Twelve images of 2x2 pixels in three classes, and a network for them.
class DataFiles : public CommandTest {
 protected:
  void SetUp() override {
    succeed({"zoo",
             "mlp",
             "--hidden",
             "4",
             "--input",
             "1,2,2",
             "--classes",
             "3",
             "--center",
             "none",
             "--out",
             "m.onnx"});
    for (int i = 0; i < 12; ++i) {
      labels_.push_back(static_cast<char>(i % 3));
      for (int j = 0; j < 4; ++j) pixels_.push_back(static_cast<char>(20 * i + j));
    }
  }

  void write_idx(const std::string& folder, const std::string& ending = "") const {
    const auto packed = [&](const std::string& bytes) {
      return ending == ".gz" ? gzip(bytes) : bytes;
    };
    for (const std::string part : {"train", "t10k"}) {
      write(folder + "/" + part + "-images-idx3-ubyte" + ending, packed(idx({12, 2, 2}, pixels_)));
      write(folder + "/" + part + "-labels-idx1-ubyte" + ending, packed(idx({12}, labels_)));
    }
  }
  void write_npy(const std::string& folder) const {
    for (const auto& [name, bytes] : arrays()) write(folder + "/" + name, bytes);
  }
  void write_npz(const std::string& name, bool deflated) const {
    std::vector<ZipEntry> entries;
    for (const auto& [array, bytes] : arrays()) entries.push_back({array, bytes, deflated});
    write(name, zip(entries));
  }
  std::vector<std::pair<std::string, std::string>> arrays() const {
    const std::string x = npy("|u1", "(12, 2, 2)", pixels_);
    const std::string y = npy("|u1", "(12,)", labels_);
    return {{"x_train.npy", x}, {"y_train.npy", y}, {"x_test.npy", x}, {"y_test.npy", y}};
  }

  Finished evaluate(const std::string& data) const {
    return lastbit({"eval", "m.onnx", "--data", data, "--json"});
  }
  nlohmann::json result(const std::string& data) const {
    const Finished run = evaluate(data);
    EXPECT_EQ(run.code, 0) << run.err;
    return nlohmann::json::parse(run.out);
  }
  // Writes `bytes` in place of a file of a good data set, whose evaluation must be refused.
  void refuse(const std::string& data,
              const std::string& file,
              const std::string& bytes,
              const Words& words) const {
    write(file, bytes);
    expect_refusal(evaluate(data), words);
  }

  std::string pixels_;
  std::string labels_;
};

TEST_F(DataFiles, GiveTheSameResultInEveryFormat) {
  write_idx("raw");
  write_idx("packed", ".gz");
  write_npy("arrays");
  write_npz("stored.npz", false);
  write_npz("deflated.npz", true);
  const nlohmann::json expected = result("raw");
  EXPECT_EQ(expected["examples"], 12);
  for (const char* data : {"packed", "arrays", "stored.npz", "deflated.npz"}) {
    nlohmann::json found = result(data);
    EXPECT_EQ(found["loss"], expected["loss"]) << data;
    EXPECT_EQ(found["error"], expected["error"]) << data;
  }
}

TEST_F(DataFiles, AreFoundWhereTheOptionsSay) {
  write_idx("one/mine");
  write_idx("data/theirs");
  succeed({"eval", "m.onnx", "--data", "mine", "--data-dir", "one"});
  succeed({"eval", "m.onnx", "--data", "theirs"});
  succeed({"eval", "m.onnx", "--data", "mine"},
          {.environment = {{"LASTBIT_DATA", path("one").string()}}});
  expect_refusal(lastbit({"eval", "m.onnx", "--data", "mine"}), {"'mine'", "data/mine"});
  expect_refusal(lastbit({"eval", "m.onnx", "--data", "mnist"}), {"'mnist'", "data/mnist"});
}

TEST_F(DataFiles, OfIdxAreRefusedWhereTheyAreDamaged) {
  write_idx("set");
  const std::string file = "set/t10k-images-idx3-ubyte";
  const std::string good = read(file);
  refuse("set", file, "", {"t10k-images"});
  refuse("set", file, good.substr(0, 10), {"t10k-images"});
  refuse("set", file, good.substr(0, good.size() - 1), {"t10k-images"});
  refuse("set", file, good + "x", {"t10k-images"});
  refuse("set", file, "garbage, not an IDX file at all", {"t10k-images"});
  refuse("set", file, idx({0xffffffffU, 0xffffffffU, 4}, pixels_), {"t10k-images"});
  refuse("set", file, idx({11, 2, 2}, pixels_.substr(4)), {"11", "12"});
  write(file, good);
  refuse("set", "set/t10k-labels-idx1-ubyte", std::string("\0\0\x0d\1", 4), {"t10k-labels"});
  std::filesystem::remove(path("set/t10k-labels-idx1-ubyte"));
  expect_refusal(evaluate("set"), {"labels"});
}

TEST_F(DataFiles, OfPackedIdxAreRefusedWhereTheyAreDamaged) {
  write_idx("set", ".gz");
  const std::string file = "set/t10k-images-idx3-ubyte.gz";
  const std::string good = read(file);
  refuse("set", file, "", {"t10k-images"});
  refuse("set", file, good.substr(0, good.size() / 2), {"t10k-images"});
  refuse("set", file, good.substr(0, good.size() - 3), {"t10k-images"});
  refuse("set", file, "garbage, not a gzip file", {"t10k-images"});
  std::string wrong_sum = good;
  wrong_sum[good.size() - 6] ^= 1;
  refuse("set", file, wrong_sum, {"t10k-images"});
  // A small file that unpacks to more than its head says.
  refuse("set", file, gzip(idx({12, 2, 2}, std::string(50'000'000, '\0'))), {"t10k-images"});
}

TEST_F(DataFiles, OfNumpyAreRefusedWhereTheyAreDamaged) {
  write_npy("set");
  const std::string file = "set/x_test.npy";
  const std::string good = read(file);
  refuse("set", file, "", {"x_test"});
  refuse("set", file, good.substr(0, 20), {"x_test"});
  refuse("set", file, good.substr(0, good.size() - 1), {"x_test"});
  refuse("set", file, good + "x", {"x_test"});
  refuse("set", file, "not numpy's", {"x_test"});
  refuse("set", file, npy("|O", "(12, 2, 2)", pixels_), {"x_test"});
  refuse("set", file, npy("<f4", "(12, 9999999999, 9999999999)", pixels_), {"x_test"});
  refuse("set", file, npy("<f4", "(12, 2, 2)", std::string(192, '\xff')), {"x_test", "finite"});
  std::filesystem::remove(path(file));
  expect_refusal(evaluate("set"), {"x_test"});
}

TEST_F(DataFiles, OfZippedNumpyAreRefusedWhereTheyAreDamaged) {
  write_npz("good.npz", true);
  const std::string good = read("good.npz");
  refuse("set.npz", "set.npz", "", {"set.npz"});
  refuse("set.npz", "set.npz", good.substr(0, good.size() / 2), {"set.npz"});
  refuse("set.npz", "set.npz", good.substr(0, good.size() - 4), {"set.npz"});
  refuse("set.npz", "set.npz", "not a zip file", {"set.npz"});
  refuse(
      "set.npz", "set.npz", zip({{"x_train.npy", npy("|u1", "(1, 2, 2)", "abcd")}}), {"y_train"});
  std::string spoiled = good;
  spoiled[80] ^= 0x40;
  refuse("set.npz", "set.npz", spoiled, {"set.npz"});
}

TEST_F(DataFiles, MustHaveLabelsOfTheirClasses) {
  write_npy("set");
  refuse("set",
         "set/y_test.npy",
         npy("<i8", "(12,)", raw(std::vector<std::int64_t>(12, -1))),
         {"y_test", "-1"});
  refuse("set",
         "set/y_test.npy",
         npy("<i8", "(12,)", raw(std::vector<std::int64_t>(12, 1LL << 40))),
         {"y_test", "1099511627776"});
  refuse("set", "set/y_test.npy", npy("|u1", "(11,)", labels_.substr(1)), {"11", "12"});
  // More classes than the network has outputs.
  refuse("set", "set/y_test.npy", npy("|u1", "(12,)", std::string(12, '\x07')), {"8 classes"});
}

TEST_F(DataFiles, MustFitTheNetwork) {
  expect_refusal(evaluate("digits:train=10,test=10"), {"[1, 28, 28]", "[1, 2, 2]"});
}

TEST_F(DataFiles, ThatAreGeneratedTakeSensibleOptions) {
  expect_refusal(evaluate("digits:train=0"), {"digits", "train", "0"});
  expect_refusal(evaluate("digits:train=-5"), {"digits", "-5"});
  expect_refusal(evaluate("digits:train=99999999999"), {"digits", "99999999999"});
  expect_refusal(evaluate("digits:seed=x"), {"digits", "seed"});
  expect_refusal(evaluate("digits:size=3"), {"digits", "size", "seed"});
  expect_refusal(evaluate("digits:"), {"digits"});
}

TEST_F(DataFiles, AreListed) {
  write_idx("data/mnist");
  write("data/fashion-mnist/train-images-idx3-ubyte", "damaged");
  const Finished run = succeed({"data", "list"});
  EXPECT_THAT(run.out, HasSubstr("digits"));
  EXPECT_THAT(run.out, HasSubstr("data/mnist"));
  EXPECT_THAT(run.out, HasSubstr("[1, 2, 2]"));
  EXPECT_THAT(run.out, HasSubstr("fashion-mnist"));
  EXPECT_EQ(succeed({"data"}).out, run.out);
}

// A PNG of 2x2 pixels of one grey.
std::string small_png(char grey) {
  const auto chunk = [](const std::string& type, const std::string& data) {
    const std::string body = type + data;
    const auto* const bytes = reinterpret_cast<const Bytef*>(body.data());
    return big(static_cast<std::uint32_t>(data.size())) + body +
           big(static_cast<std::uint32_t>(::crc32_z(0, bytes, body.size())));
  };
  const std::string rows = {0, grey, grey, 0, grey, grey};
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", big(2) + big(2) + std::string("\x08\0\0\0\0", 5)) +
         chunk("IDAT", deflate(rows, 15)) + chunk("IEND", "");
}

TEST_F(DataFiles, ThatAreImagesAreSkippedWhereTheyAreDamaged) {
  if (!LASTBIT_WITH_IMAGES) GTEST_SKIP() << "needs a build with libjpeg and libpng";
  succeed({"zoo",
           "mlp",
           "--hidden",
           "4",
           "--input",
           "3,2,2",
           "--classes",
           "3",
           "--center",
           "none",
           "--out",
           "c.onnx"});
  for (const std::string name : {"train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png"}) {
    write("set/" + name, small_png(static_cast<char>(name.size())));
  }
  for (const char* const data : {"set", "imagefolder:set", "imagefolder:set,keep=0"}) {
    EXPECT_EQ(succeed({"eval", "c.onnx", "--strict", "--data", data}).err, "");
  }
  write("set/val/a/2.png", "damaged");
  const Finished run = succeed({"eval", "c.onnx", "--data", "imagefolder:set"});
  EXPECT_THAT(run.out, HasSubstr("of 2)"));
  EXPECT_THAT(run.err, HasSubstr("skipped 1 damaged image\n"));
  EXPECT_THAT(run.err, HasSubstr("set/val/a/2.png is neither JPEG nor PNG"));
  expect_refusal(lastbit({"eval", "c.onnx", "--strict", "--data", "imagefolder:set"}),
                 {"set/val/a/2.png"});
}

}  // namespace
}  // namespace lastbit
