#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lastbit/data/draw.h"
#include "lastbit/graph/onnx.h"
#include "tests/cli/program.h"
#include "tests/cli/small_detector.h"
#include "tests/data/image_files.h"
#include "tests/data/voc_files.h"

// `lastbit run` and `lastbit eval` with a detector: what they print and draw, and bad pictures.

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr Rgb kRed = {255, 0, 0};
constexpr Rgb kGreen = {0, 255, 0};

struct Patch {
  Box box;
  Rgb colour;
};

// 32 x 16 pixels, black but for the patches.
Image picture(const std::vector<Patch>& patches) {
  Image image{.size = {.height = 16, .width = 32},
              .pixels = std::vector<std::uint8_t>(std::size_t{3} * 16 * 32)};
  for (const Patch& patch : patches) fill_box(patch.box, patch.colour, image);
  return image;
}

const Patch kRedAbove = {.box = {0, 0, 16, 8}, .colour = kRed};
const Patch kGreenBelow = {.box = {16, 8, 32, 16}, .colour = kGreen};

class Detectors : public CommandTest {
 protected:
  void SetUp() override {
    write_onnx(path("d.onnx"), small_detector());
    write("both.png", encode_png(picture({kRedAbove, kGreenBelow})));
  }
  void write_changed(const std::function<void(Graph&)>& change) const {
    Graph graph = small_detector();
    change(graph);
    write_onnx(path("c.onnx"), graph);
  }
  static std::vector<nlohmann::json> lines(const Finished& run) {
    std::vector<nlohmann::json> all;
    std::istringstream text(run.out);
    for (std::string line; std::getline(text, line);) all.push_back(nlohmann::json::parse(line));
    return all;
  }
  Image decoded(const std::string& name) const {
    const std::string bytes = read(name);
    return decode_image(std::as_bytes(std::span(bytes)), name, 0);
  }
};

TEST_F(Detectors, ListTheirDetections) {
  const Finished run = succeed({"run", "d.onnx", "both.png"});
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("both.png: 32 x 16, 2 found\n"),
                    HasSubstr("% at left 0, top 0, right 16, bottom 8\n"),
                    HasSubstr("  green 100.0%"),
                    HasSubstr("% at left 16, top 8, right 32, bottom 16\n")));
  EXPECT_EQ(run.err, "");
}

TEST_F(Detectors, PrintALineOfJsonAPicture) {
  const auto all = lines(succeed({"run", "d.onnx", "both.png", "--json"}));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["file"], "both.png");
  EXPECT_EQ(all[0]["width"], 32);
  EXPECT_EQ(all[0]["height"], 16);
  ASSERT_EQ(all[0]["detections"].size(), 2U);
  const auto& red = all[0]["detections"][0];
  const auto& green = all[0]["detections"][1];
  EXPECT_EQ(red["class"], "red");
  EXPECT_EQ(green["class"], "green");
  EXPECT_GE(red["score"], green["score"]);
  EXPECT_GT(green["score"], 0.99);
  EXPECT_EQ(green["left"], 16);
  EXPECT_EQ(green["top"], 8);
  EXPECT_EQ(green["right"], 32);
  EXPECT_EQ(green["bottom"], 16);
}

TEST_F(Detectors, DrawTheirBoxes) {
  const Finished run = succeed({"run", "d.onnx", "both.png", "--out", "new/boxes.png"});
  EXPECT_THAT(run.out, HasSubstr("wrote new/boxes.png\n"));
  Image expected = picture({kRedAbove, kGreenBelow});
  const std::vector<std::string> names = {"red", "green"};
  const auto found = lines(succeed({"run", "d.onnx", "both.png", "--json"}))[0]["detections"];
  const std::vector<Detection> detections = {
      {.box = {0, 0, 16, 8}, .label = 0, .score = found[0]["score"]},
      {.box = {16, 8, 32, 16}, .label = 1, .score = found[1]["score"]}};
  draw_detections(detections, names, expected);
  const Image drawn = decoded("new/boxes.png");
  EXPECT_EQ(drawn.size, expected.size);
  EXPECT_EQ(drawn.pixels, expected.pixels);
}

TEST_F(Detectors, ListAsMuchAsIsAskedFor) {
  // A quarter of which a part is red: a score in the middle.
  write("half.png", encode_png(picture({{.box = {0, 0, 9, 8}, .colour = kRed}, kGreenBelow})));
  const auto count = [&](const Words& more) {
    Words words = {"run", "d.onnx", "half.png", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return lines(succeed(words))[0]["detections"].size();
  };
  EXPECT_EQ(count({}), 2U);
  EXPECT_EQ(count({"--min-score", "0.9"}), 1U);
  EXPECT_EQ(count({"--min-score", "1"}), 0U);
  EXPECT_EQ(count({"--min-score", "0", "--most", "1"}), 1U);
  expect_refusal(lastbit({"run", "d.onnx", "half.png", "--min-score", "2"}), {"--min-score", "2"});
}

TEST_F(Detectors, TakeAFolderOfPictures) {
  write("in/a.png", encode_png(picture({kRedAbove})));
  write("in/b.jpg", jpeg({.height = 16, .width = 32}, 3, picture({kGreenBelow}).pixels));
  write("in/b.png", encode_png(picture({})));
  write("in/notes.txt", "no picture");
  const auto all = lines(succeed({"run", "d.onnx", "in", "--json", "--out", "out"}));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0]["file"], "in/a.png");
  EXPECT_EQ(all[0]["detections"][0]["class"], "red");
  EXPECT_EQ(all[1]["file"], "in/b.jpg");
  EXPECT_EQ(all[1]["detections"][0]["class"], "green");
  EXPECT_THAT(all[2]["detections"], IsEmpty());
  EXPECT_THAT(names(), ::testing::IsSupersetOf({"out/a.png", "out/b.jpg.png", "out/b.png.png"}));
  EXPECT_EQ(decoded("out/b.png.png").pixels, picture({}).pixels);
}

TEST_F(Detectors, SkipDamagedPicturesOfAFolder) {
  const std::string photo = jpeg({.height = 16, .width = 32}, 3, picture({kRedAbove}).pixels);
  write("in/empty.jpg", "");
  write("in/good.jpg", photo);
  write("in/short.jpg", photo.substr(0, photo.size() / 2));
  write("in/text.png", "<html>404</html>");
  const Finished run = succeed({"run", "d.onnx", "in", "--out", "out"});
  EXPECT_THAT(run.out, AllOf(HasSubstr("good.jpg"), Not(HasSubstr("short.jpg"))));
  EXPECT_THAT(run.out, HasSubstr("wrote out (1 picture)\n"));
  EXPECT_THAT(run.err,
              AllOf(HasSubstr("skipped 3 damaged images\n"),
                    HasSubstr("in/empty.jpg"),
                    HasSubstr("in/short.jpg"),
                    HasSubstr("in/text.png is neither JPEG nor PNG")));
  expect_refusal(lastbit({"run", "d.onnx", "in", "--strict"}), {"in/empty.jpg"});
  std::filesystem::remove(path("in/good.jpg"));
  expect_refusal(lastbit({"run", "d.onnx", "in"}), {"no picture of in", "in/empty.jpg"});
}

TEST_F(Detectors, SayWhatIsWrongWithAPicture) {
  const std::string photo = jpeg({.height = 16, .width = 32}, 3, picture({kRedAbove}).pixels);
  const auto refuse = [&](const std::string& bytes, const Words& words) {
    write("p.jpg", bytes);
    expect_refusal(lastbit({"run", "d.onnx", "p.jpg", "--out", "o.png"}), words);
  };
  refuse("", {"p.jpg"});
  refuse("GIF89a and so on", {"p.jpg is neither JPEG nor PNG"});
  refuse(photo.substr(0, photo.size() / 2), {"p.jpg"});
  refuse(photo.substr(0, 30), {"p.jpg"});
  refuse(read("both.png").substr(0, 60), {"p.jpg"});
  // A PNG that calls itself JPEG is read as what it is.
  write("p.jpg", read("both.png"));
  succeed({"run", "d.onnx", "p.jpg"});
  expect_refusal(lastbit({"run", "d.onnx", "none.jpg"}), {"none.jpg"});
  std::filesystem::create_directories(path("nothing"));
  expect_refusal(lastbit({"run", "d.onnx", "nothing"}), {"nothing holds no picture"});
}

TEST_F(Detectors, NeverWriteOverAPicture) {
  const std::string before = read("both.png");
  expect_refusal(lastbit({"run", "d.onnx", "both.png", "--out", "both.png"}), {"write over"});
  write("in/both.png", before);
  expect_refusal(lastbit({"run", "d.onnx", "in", "--out", "in"}), {"write over in/both.png"});
  EXPECT_EQ(read("in/both.png"), before);
  write("file", "");
  expect_refusal(lastbit({"run", "d.onnx", "in", "--out", "file"}), {"file"});
}

TEST_F(Detectors, AreToldFromOtherModels) {
  succeed({"zoo", "mlp", "--hidden", "4", "--out", "m.onnx"});
  expect_refusal(lastbit({"run", "m.onnx", "both.png"}),
                 {"m.onnx is no detector", "'boxes', 'scores' and 'selected'"});
  expect_refusal(lastbit({"eval", "d.onnx", "--data", "digits:train=1,test=1"}),
                 {"d.onnx is a detector", "voc:PATH"});
  expect_refusal(lastbit({"run", "d.onnx"}), {"--data", "picture"});
  expect_refusal(lastbit({"run", "d.onnx", "both.png", "--data", "digits"}), {"--data"});
  expect_refusal(lastbit({"run", "d.onnx", "--data", "digits", "--json"}), {"--json"});
}

TEST_F(Detectors, MustSayWhatTheyAre) {
  const auto refuse = [&](const std::function<void(Graph&)>& change, const Words& words) {
    write_changed(change);
    expect_refusal(lastbit({"run", "c.onnx", "both.png"}), words);
  };
  const auto names = [](const std::string& text) {
    return [=](Graph& graph) { graph.metadata["lastbit.classes"] = text; };
  };
  refuse(names("[\"red\"]"), {"names 1 classes, expected 2"});
  refuse(names("[\"red\",\"red\"]"), {"lastbit.classes", "different names"});
  refuse(names("[\"red\",3]"), {"lastbit.classes"});
  refuse(names("[\"red\","), {"lastbit.classes"});
  refuse(names("{\"a\":\"red\",\"b\":\"green\"}"), {"lastbit.classes"});
  refuse([](Graph& graph) { graph.outputs.pop_back(); }, {"no detector", "'boxes', 'scores'"});
  refuse(
      [](Graph& graph) {
        graph.nodes.back().inputs[0] = graph.nodes[11].outputs[0] = "corners";
        graph.nodes.push_back({.name = "flat",
                               .op = "Flatten",
                               .domain = {},
                               .inputs = {"corners"},
                               .outputs = {"boxes"},
                               .attributes = {}});
        graph.outputs[0].dims = {{.size = -1, .symbol = "batch"}, {20}};
      },
      {"has boxes [1, 20]", "expected [batch, priors, 4]"});
  write_changed([](Graph& graph) { graph.metadata.clear(); });
  EXPECT_THAT(succeed({"run", "c.onnx", "both.png"}).out, HasSubstr("  1 100.0%"));
}

TEST_F(Detectors, TakeFilesOfAFixedBatch) {
  write_changed([](Graph& graph) {
    graph.inputs[0].dims[0] = {.size = 3};
    graph.outputs[0].dims[0] = graph.outputs[1].dims[0] = {.size = 3};
  });
  EXPECT_EQ(succeed({"run", "c.onnx", "both.png"}).out, succeed({"run", "d.onnx", "both.png"}).out);
}

// Test images: 1 red and green; 2 red, which is black; 3 green, which is difficult.
class DetectorEvaluations : public Detectors {
 protected:
  void SetUp() override {
    Detectors::SetUp();
    const std::string red = voc_object("red", "1", "1", "16", "8");
    const std::string green = voc_object("green", "17", "9", "32", "16");
    const std::string difficult =
        voc_object("green", "17", "9", "32", "16", "<difficult>1</difficult>");
    add("1", red + green, picture({kRedAbove, kGreenBelow}));
    add("2", red, picture({}));
    add("3", difficult, picture({kGreenBelow}));
    write("voc/ImageSets/Main/trainval.txt", "1\n");
    write("voc/ImageSets/Main/test.txt", "1\n2\n3\n");
  }
  void add(const std::string& id, const std::string& objects, const Image& image) const {
    write("voc/Annotations/" + id + ".xml", voc_xml(32, 16, objects));
    write("voc/JPEGImages/" + id + ".png", encode_png(image));
  }
  nlohmann::json evaluate(const Words& more = {}) const {
    Words words = {"eval", "d.onnx", "--data", "voc:voc", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return nlohmann::json::parse(succeed(words).out);
  }
};

TEST_F(DetectorEvaluations, AreOnDataThatShowTheirBoxes) {
  const Finished run = succeed({"data", "show", "voc:voc"});
  EXPECT_THAT(run.out, HasSubstr("1 images to train, 3 to test"));
  EXPECT_THAT(run.out, testing::ContainsRegex("green +1 +0 +2 +1\n"));
  EXPECT_THAT(run.out, testing::ContainsRegex("red +1 +0 +2 +0\n"));
  expect_refusal(lastbit({"data", "show", "voc:nowhere"}), {"nowhere"});
}

TEST_F(DetectorEvaluations, AreMeanAveragePrecisions) {
  const auto eleven = evaluate();
  EXPECT_EQ(eleven["rule"], "11");
  EXPECT_EQ(eleven["images"], 3);
  EXPECT_EQ(eleven["difficult"], 1);
  // One of two is found, and that at once: recalls of 0, 0.1, ..., 0.5 have a precision of 1.
  EXPECT_NEAR(eleven["classes"][0]["ap"], 100.0 * 6 / 11, 1e-9);
  EXPECT_EQ(eleven["classes"][0]["objects"], 2);
  EXPECT_EQ(eleven["classes"][0]["found"], 1);
  EXPECT_EQ(eleven["classes"][1]["objects"], 1);
  EXPECT_EQ(eleven["classes"][1]["false_alarms"], 0) << "the difficult one counts for nothing";
  EXPECT_NEAR(eleven["classes"][1]["ap"], 100.0, 1e-9);
  EXPECT_NEAR(eleven["map"], 100.0 * 17 / 22, 1e-9);
  const auto area = evaluate({"--rule", "area"});
  EXPECT_NEAR(area["classes"][0]["ap"], 50.0, 1e-9);
  EXPECT_NEAR(area["map"], 75.0, 1e-9);
  EXPECT_NEAR(evaluate({"--part", "train"})["map"], 100.0, 1e-9);
}

TEST_F(DetectorEvaluations, ArePrintedAsATable) {
  const Finished run = succeed({"eval", "d.onnx", "--data", "voc:voc"});
  EXPECT_THAT(run.out, HasSubstr("d.onnx: mAP 77.27% (11 points) on 3 images\n"));
  EXPECT_THAT(run.out, HasSubstr("54.55"));
  EXPECT_THAT(run.out, HasSubstr("1 difficult object is not counted"));
  EXPECT_EQ(run.err, "");
}

TEST_F(DetectorEvaluations, GoByTheNamesOfClasses) {
  write_changed([](Graph& graph) { graph.metadata["lastbit.classes"] = R"(["zebra","green"])"; });
  expect_refusal(lastbit({"eval", "c.onnx", "--data", "voc:voc"}), {"'red'", "zebra, green"});
  write_changed([](Graph& graph) { graph.metadata.clear(); });
  expect_refusal(lastbit({"eval", "c.onnx", "--data", "voc:voc"}), {"lastbit.classes"});
  // A class of the model that the data lack has no precision.
  add("1", voc_object("green", "17", "9", "32", "16"), picture({kGreenBelow}));
  add("2", "", picture({}));
  const auto result = evaluate();
  EXPECT_TRUE(result["classes"][0]["ap"].is_null());
  EXPECT_NEAR(result["map"], 100.0, 1e-9);
}

TEST_F(DetectorEvaluations, SaySomethingOfBadFiles) {
  write("voc/JPEGImages/3.png", read("voc/JPEGImages/3.png").substr(0, 80));
  write("voc/Annotations/1.xml",
        voc_xml(32,
                16,
                voc_object("red", "-5", "1", "16", "8") + voc_object("red", "40", "1", "50", "9")));
  const Finished run = succeed({"eval", "d.onnx", "--data", "voc:voc"});
  EXPECT_THAT(run.out, HasSubstr("on 2 images"));
  EXPECT_THAT(run.err,
              AllOf(HasSubstr("skipped 1 damaged image\n"),
                    HasSubstr("3.png"),
                    HasSubstr("corrected 2 boxes\n"),
                    HasSubstr("clipped to the image of 32 x 16"),
                    HasSubstr("beyond the image")));
  const auto refuse = [&](const Words& words) {
    expect_refusal(lastbit({"eval", "d.onnx", "--data", "voc:voc", "--strict"}), words);
  };
  refuse({"1.xml", "clipped"});
  write("voc/Annotations/1.xml", voc_xml(16, 32, voc_object("red", "1", "1", "16", "8")));
  refuse({"1.xml", "is for an image of 16 x 32"});
  write("voc/Annotations/1.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotation>&b;</annotation>");
  refuse({"1.xml", "DOCTYPE"});
  std::string deep = "<annotation>";
  for (int i = 0; i < 5000; ++i) deep += "<a>";
  write("voc/Annotations/1.xml", deep);
  refuse({"1.xml", "nested deeper"});
  write("voc/Annotations/1.xml", "");
  refuse({"1.xml"});
}

}  // namespace
}  // namespace lastbit
