#include "lastbit/data/voc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/files.h"
#include "tests/data/image_files.h"
#include "tests/data/voc_files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kPhoto = png({10, 20}, PNG_FORMAT_RGB, ramps({10, 20}));

class Voc : public ::testing::Test {
 protected:
  // Images a, b and c for training, d for testing; 20 x 10 pixels, each with a dog of half of it.
  void SetUp() override {
    for (const std::string id : {"a", "b", "c", "d"}) write(id);
    here_.write("ImageSets/Main/train.txt", "a\nc\n");
    here_.write("ImageSets/Main/val.txt", "b\n");
    here_.write("ImageSets/Main/trainval.txt", "a\r\nb\r\n\r\nc");
    here_.write("ImageSets/Main/test.txt", "d\n");
  }

  void write(const std::string& id, const std::string& objects = dog()) const {
    here_.write("Annotations/" + id + ".xml", voc_xml(20, 10, objects));
    here_.write("JPEGImages/" + id + ".jpg", kPhoto);
  }
  static std::string dog() { return voc_object("dog", "1", "1", "10", "10"); }

  DetectionSet open(const std::string& options = "", bool strict = false) const {
    return open_detection("voc:" + here_.path().string() + options,
                          {.data_dir = {}, .threads = 2, .strict = strict});
  }
  static std::vector<std::string> ids(const DetectionSource& source) {
    std::vector<std::string> all;
    for (const DetectionEntry& entry : source.entries()) all.push_back(entry.path.stem());
    return all;
  }
  // What is said of the damaged set, and that --strict ends with the same sentence.
  std::string skipped() const {
    const DetectionSet set = open();
    EXPECT_THAT(ids(*set.train), ElementsAre("b", "c"));
    EXPECT_THAT(set.train->skipped(), SizeIs(1));
    const std::string sentence = set.train->skipped().at(0);
    EXPECT_EQ(error_of([&] { open("", true); }), sentence);
    return sentence;
  }

  TempFolder here_;
};

TEST_F(Voc, ReadsTheListsOfTheParts) {
  const DetectionSet set = open();
  EXPECT_THAT(ids(*set.train), ElementsAre("a", "b", "c"));
  EXPECT_THAT(ids(*set.test), ElementsAre("d"));
  EXPECT_THAT(set.class_names, ElementsAre("dog"));
  const DetectionEntry& first = set.train->entries()[0];
  EXPECT_EQ(first.size, (ImageSize{10, 20}));
  ASSERT_THAT(first.objects, SizeIs(1));
  EXPECT_EQ(first.objects[0].box, (Box{0, 0, 10, 10}));
  EXPECT_THAT(ids(*open(",train=val").train), ElementsAre("b"));
  EXPECT_THAT(ids(*open(",test=val,train=train").train), ElementsAre("a", "c"));
  std::filesystem::remove(here_.path() / "ImageSets/Main/test.txt");
  EXPECT_THAT(ids(*open().train), ElementsAre("a", "c"));
  EXPECT_THAT(ids(*open().test), ElementsAre("b"));
}

TEST_F(Voc, WithoutListsTestsOnEveryFifth) {
  std::filesystem::remove_all(here_.path() / "ImageSets");
  std::filesystem::rename(here_.path() / "Annotations", here_.path() / "annotations");
  std::filesystem::rename(here_.path() / "JPEGImages", here_.path() / "images");
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("has no image to test on"));
  for (const std::string id : {"e", "f"}) {
    here_.write("annotations/" + id + ".xml", voc_xml(20, 10, dog()));
    here_.write("images/" + id + ".jpg", kPhoto);
  }
  EXPECT_THAT(ids(*open().train), ElementsAre("a", "b", "c", "d", "f"));
  EXPECT_THAT(ids(*open().test), ElementsAre("e"));
}

TEST_F(Voc, TrainsOnASecondFolderAsWell) {
  const TempFolder other;
  other.write("Annotations/a.xml", voc_xml(20, 10, voc_object("cat", "1", "1", "5", "5")));
  other.write("JPEGImages/a.png", kPhoto);
  other.write("ImageSets/Main/trainval.txt", "a\n");
  const DetectionSet set = open(",also=" + other.path().string());
  EXPECT_THAT(ids(*set.train), ElementsAre("a", "b", "c", "a"));
  EXPECT_THAT(set.class_names, ElementsAre("cat", "dog"));
  EXPECT_EQ(set.train->entries()[3].objects[0].label, 0);
  EXPECT_EQ(set.train->entries()[0].objects[0].label, 1);
}

TEST_F(Voc, DecodesImagesWithTheirBoxes) {
  const DetectionSample sample = open().train->read(1);
  EXPECT_EQ(sample.index, 1);
  EXPECT_EQ(sample.image.pixels, ramps({10, 20}));
  EXPECT_THAT(sample.objects, SizeIs(1));
  EXPECT_THAT(error_of<InputError>([&] { open().train->read(3); }),
              HasSubstr("index is 3, expected 0, ..., 2"));
}

TEST_F(Voc, FindsTheImageThatTheAnnotationNames) {
  std::filesystem::remove(here_.path() / "JPEGImages/a.jpg");
  here_.write("JPEGImages/of another.jpg", kPhoto);
  EXPECT_EQ(open("", true).train->entries()[0].path.filename(), "of another.jpg");
}

TEST_F(Voc, ClipsAndDropsBoxes) {
  write("a",
        voc_object("dog", "-3", "0", "21", "10") + voc_object("dog", "4", "4", "4", "4") +
            voc_object("dog", "9", "2", "3", "8") + voc_object("dog", "21", "1", "30", "9") +
            voc_object("dog", "1", "1", "20", "10"));
  const DetectionSet set = open();
  const auto& objects = set.train->entries()[0].objects;
  ASSERT_THAT(objects, SizeIs(2));
  EXPECT_EQ(objects[0].box, (Box{0, 0, 20, 10}));
  EXPECT_EQ(objects[1].box, (Box{0, 0, 20, 10}));
  EXPECT_THAT(set.train->skipped(), IsEmpty());
  EXPECT_THAT(
      set.train->corrected(),
      ElementsAre(
          HasSubstr("a.xml object 1 ('dog') is -3, 0, 21, 10: clipped to the image of 20 x 10"),
          HasSubstr("a.xml object 2 ('dog') is 4, 4, 4, 4: left out, expected xmin < xmax"),
          HasSubstr("object 3 ('dog') is 9, 2, 3, 8: left out, expected"),
          HasSubstr("object 4 ('dog') is 21, 1, 30, 9: left out, beyond the image of 20 x 10")));
  EXPECT_THAT(error_of([&] { open("", true); }), HasSubstr("object 1 ('dog') is -3, 0, 21, 10"));
}

TEST_F(Voc, LeavesOutWhatCannotBeRead) {
  here_.write("Annotations/a.xml", voc_xml(10, 20, dog()));
  EXPECT_THAT(skipped(),
              AllOf(HasSubstr("a.xml is for an image of 10 x 20"), HasSubstr("20 x 10")));
  here_.write("Annotations/a.xml", voc_xml(0, 0, dog()));
  EXPECT_THAT(open("", true).train->skipped(), IsEmpty());
  here_.write("JPEGImages/a.jpg", "<html>404</html>");
  EXPECT_THAT(skipped(), HasSubstr("a.jpg is neither JPEG nor PNG"));
  std::filesystem::remove(here_.path() / "JPEGImages/a.jpg");
  EXPECT_THAT(skipped(), AllOf(HasSubstr("JPEGImages/a is missing as .jpg"), HasSubstr("a.xml")));
  std::filesystem::remove(here_.path() / "Annotations/a.xml");
  EXPECT_THAT(skipped(), HasSubstr("Annotations/a.xml"));
}

TEST_F(Voc, ReplacesDamagedPixelsByTheNextImage) {
  here_.write("JPEGImages/c.jpg", kPhoto.substr(0, kPhoto.size() - 25));
  const DetectionSet set = open();
  EXPECT_THAT(set.train->skipped(), IsEmpty());
  EXPECT_EQ(set.train->read(2).index, 0);
  EXPECT_EQ(set.train->read(1).index, 1);
  EXPECT_THAT(set.train->skipped(), ElementsAre(HasSubstr("c.jpg is a damaged PNG")));
  const DetectionSet strict = open("", true);
  EXPECT_THAT(error_of([&] { strict.train->read(2); }), HasSubstr("c.jpg is a damaged PNG"));
  here_.write("JPEGImages/d.jpg", kPhoto.substr(0, kPhoto.size() - 25));
  EXPECT_THAT(error_of([&] { open().test->read(0); }), HasSubstr("and no other image"));
}

TEST_F(Voc, SaysWhatListsLack) {
  here_.write("ImageSets/Main/trainval.txt", "a\n../b\n");
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("trainval.txt line 2 is no name of an image"));
  here_.write("ImageSets/Main/trainval.txt", "a  1\n");
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("line 1 is no name"));
  here_.write("ImageSets/Main/trainval.txt", "a\n\na\n");
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("line 3 has image 'a' a second time"));
  here_.write("ImageSets/Main/trainval.txt", "\n");
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("has no image to train on"));
  EXPECT_THAT(error_of<InputError>([&] { open(",train=none"); }), HasSubstr("none.txt"));
  here_.write("ImageSets/Main/trainval.txt", "x\ny\n");
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("no image can be read, the first since"));
}

TEST_F(Voc, SaysWhatTheNameLacks) {
  const auto refusal = [](const std::string& name) {
    return error_of<InputError>([&] { open_detection(name, {}); });
  };
  EXPECT_THAT(refusal("voc:nowhere"), AllOf(HasSubstr("no folder 'nowhere'"), HasSubstr("data")));
  EXPECT_THAT(refusal("mnist"), HasSubstr("expected voc:PATH"));
  EXPECT_THAT(refusal("voc:x,size=3"), HasSubstr("unknown key 'size'"));
  EXPECT_THAT(refusal("voc:x,test=a,test=b"), HasSubstr("test is given twice"));
  EXPECT_THAT(refusal("voc:x,train=../a"), HasSubstr("train is '../a', expected a name"));
  EXPECT_THAT(refusal("voc:x,train"), HasSubstr("train is ''"));
  std::filesystem::remove_all(here_.path() / "Annotations");
  EXPECT_THAT(error_of<InputError>([&] { open(); }), HasSubstr("has no folder Annotations"));
  EXPECT_THAT(error_of<InputError>([&] { open_dataset("voc:x", {}); }), HasSubstr("has boxes"));
}

TEST_F(Voc, NeedsAnObject) {
  for (const std::string id : {"a", "b", "c", "d"}) write(id, "");
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("has no object"));
  write("d");
  EXPECT_THAT(open().train->entries()[0].objects, IsEmpty());
}

}  // namespace
}  // namespace lastbit
