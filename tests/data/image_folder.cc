#include "lastbit/data/image_folder.h"

#include <cmath>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/data/dataset.h"
#include "lastbit/data/image_list.h"
#include "tests/data/files.h"
#include "tests/data/image_files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A PNG all of one colour.
std::string flat(const ImageSize& size, int value) {
  return png(size,
             PNG_FORMAT_RGB,
             std::vector<std::uint8_t>(static_cast<std::size_t>(3 * size.height * size.width),
                                       static_cast<std::uint8_t>(value)));
}

class ImageFolder : public ::testing::Test {
 protected:
  // Classes b and a with three and two images of 4x4 and of the values 10, 11, ...
  void write_small() {
    here_.write("train/b/1.png", flat({4, 4}, 12));
    here_.write("train/b/deep/er/2.PNG", flat({4, 4}, 14));
    here_.write("train/b/3.png", flat({4, 4}, 13));
    here_.write("train/a/1.png", flat({4, 4}, 10));
    here_.write("train/a/2.png", flat({4, 4}, 11));
    here_.write("train/a/notes.txt", "no image");
    here_.write("val/b/1.png", flat({4, 4}, 20));
  }

  Dataset open(const std::string& options = "", bool strict = false) const {
    return open_dataset("imagefolder:" + here_.path().string() + options,
                        {.data_dir = {}, .threads = 2, .strict = strict});
  }

  static std::vector<int> values(const DatasetSource& source) {
    std::vector<int> firsts;
    for (std::int64_t i = 0; i < source.size(); ++i) {
      firsts.push_back(static_cast<int>(std::lround(gather(source, {i})[0] * 255.0F)));
    }
    return firsts;
  }

  TempFolder here_;
};

TEST_F(ImageFolder, SortsClassesAndFilesAndLooksIntoFolders) {
  write_small();
  const Dataset set = open();
  EXPECT_THAT(set.class_names, ElementsAre("a", "b"));
  EXPECT_THAT(set.train->sample_shape(), ElementsAre(3, 4, 4));
  EXPECT_THAT(set.train->labels(), ElementsAre(0, 0, 1, 1, 1));
  EXPECT_THAT(values(*set.train), ElementsAre(10, 11, 12, 13, 14));
  EXPECT_THAT(set.test->labels(), ElementsAre(1));
  EXPECT_EQ(set.test->classes(), 2);
  EXPECT_THAT(set.train->skipped(), IsEmpty());
  EXPECT_EQ(open_dataset(here_.path().string(), {}).train->size(), 5);
}

TEST_F(ImageFolder, StreamsTheSamplesThatItWouldKeep) {
  here_.write("train/a/1.jpg", jpeg({50, 40}, 3, ramps({50, 40})));
  here_.write("train/a/2.jpg", jpeg({30, 60}, 3, ramps({30, 60})));
  here_.write("val/a/1.jpg", jpeg({200, 90}, 3, ramps({200, 90})));
  const Dataset kept = open(",size=20,resize=22");
  const Dataset streamed = open(",size=20,resize=22,keep=0");
  EXPECT_TRUE(kept.train->in_memory());
  EXPECT_THAT(kept.train->bytes(), SizeIs(2 * 3 * 20 * 20));
  EXPECT_FALSE(streamed.train->in_memory());
  EXPECT_EQ(gather(*kept.train, {1, 0, 1}), gather(*streamed.train, {1, 0, 1}));
  EXPECT_EQ(gather(*kept.test, {0}), gather(*streamed.test, {0}));
  EXPECT_THAT(open().train->sample_shape(), ElementsAre(3, 224, 224));
  EXPECT_THAT(open(",resize=30").train->sample_shape(), ElementsAre(3, 30, 30));
  EXPECT_THAT(open(",size=16").train->sample_shape(), ElementsAre(3, 16, 16));
}

TEST_F(ImageFolder, LeavesOutFilesWhoseHeaderIsDamaged) {
  write_small();
  here_.write("train/a/1.png", "no png");
  for (const char* options : {"", ",keep=0"}) {
    const Dataset set = open(options);
    EXPECT_THAT(values(*set.train), ElementsAre(11, 12, 13, 14));
    EXPECT_THAT(set.train->labels(), ElementsAre(0, 1, 1, 1));
    EXPECT_THAT(set.train->skipped(), ElementsAre(HasSubstr("train/a/1.png is neither")));
    EXPECT_THAT(set.test->skipped(), IsEmpty());
    EXPECT_THAT(error_of<InputError>([&] { open(options, true); }), HasSubstr("train/a/1.png"));
  }
}

// The file's header is whole and its pixels are not.
TEST_F(ImageFolder, ReplacesDamagedPixelsByTheNextOfTheClass) {
  write_small();
  const std::string good = flat({4, 4}, 99);
  here_.write("train/b/3.png", good.substr(0, good.size() - 25));
  const Dataset kept = open();
  EXPECT_THAT(values(*kept.train), ElementsAre(10, 11, 12, 14));
  EXPECT_THAT(kept.train->skipped(), ElementsAre(HasSubstr("train/b/3.png is a damaged PNG")));

  const Dataset streamed = open(",keep=0");
  EXPECT_THAT(streamed.train->skipped(), IsEmpty());
  EXPECT_THAT(values(*streamed.train), ElementsAre(10, 11, 12, 14, 14));
  EXPECT_THAT(values(*streamed.train), ElementsAre(10, 11, 12, 14, 14));
  EXPECT_THAT(streamed.train->skipped(), ElementsAre(HasSubstr("train/b/3.png")));

  EXPECT_THAT(error_of<InputError>([&] { open("", true); }), HasSubstr("train/b/3.png"));
  const Dataset strict = open(",keep=0", true);
  EXPECT_THAT(error_of<InputError>([&] { values(*strict.train); }), HasSubstr("train/b/3.png"));
}

TEST_F(ImageFolder, EndsWhereNoFileOfAClassCanBeRead) {
  write_small();
  const std::string good = flat({4, 4}, 99);
  here_.write("val/b/1.png", good.substr(0, good.size() - 25));
  const Dataset set = open(",keep=0");
  EXPECT_THAT(error_of([&] { values(*set.test); }), HasSubstr("no other file of its class"));
  EXPECT_THAT(error_of([&] { open(); }), HasSubstr("no file can be read"));
}

TEST_F(ImageFolder, GathersOnManyThreadsAtOnce) {
  write_small();
  const std::string good = flat({4, 4}, 99);
  here_.write("train/b/3.png", good.substr(0, good.size() - 25));
  const Dataset set = open(",keep=0");
  std::vector<std::vector<int>> all(4);
  {
    std::vector<std::jthread> threads;
    threads.reserve(all.size());
    for (auto& one : all) threads.emplace_back([&] { one = values(*set.train); });
  }
  for (const auto& one : all) EXPECT_THAT(one, ElementsAre(10, 11, 12, 14, 14));
  EXPECT_THAT(set.train->skipped(), SizeIs(1));
}

TEST_F(ImageFolder, KnowsTheLayoutOfTinyImageNet) {
  here_.write("wnids.txt", "n02\nn01\n");
  here_.write("train/n02/images/n02_0.JPEG", jpeg({4, 4}, 1, std::vector<std::uint8_t>(16, 50)));
  here_.write("train/n02/n02_boxes.txt", "n02_0.JPEG\t0\t0\t1\t1\n");
  here_.write("train/n01/images/n01_0.JPEG", jpeg({4, 4}, 1, std::vector<std::uint8_t>(16, 60)));
  here_.write("val/images/val_1.JPEG", jpeg({4, 4}, 1, std::vector<std::uint8_t>(16, 70)));
  here_.write("val/images/val_0.JPEG", jpeg({4, 4}, 1, std::vector<std::uint8_t>(16, 80)));
  here_.write("val/val_annotations.txt", "val_1.JPEG\tn01\t0\t0\t1\t1\r\nval_0.JPEG\tn02\n");
  const Dataset set = open();
  EXPECT_THAT(set.class_names, ElementsAre("n01", "n02"));
  EXPECT_THAT(set.train->labels(), ElementsAre(0, 1));
  EXPECT_THAT(set.test->labels(), ElementsAre(1, 0));
  EXPECT_NEAR(values(*set.test)[0], 80, 1);
  here_.write("val/val_annotations.txt", "val_1.JPEG\tn03\n");
  EXPECT_THAT(error_of([&] { open(); }), AllOf(HasSubstr("class 'n03'"), HasSubstr("2 folders")));
  for (const char* const line : {"val_1.JPEG n01\n", "\tn01\n", "../x.JPEG\tn01\n"}) {
    here_.write("val/val_annotations.txt", line);
    EXPECT_THAT(error_of([&] { open(); }), HasSubstr("line 1 is no file name")) << line;
  }
}

TEST_F(ImageFolder, SaysWhatTheFolderLacks) {
  const auto error = [&] { return error_of<InputError>([&] { open(); }); };
  EXPECT_THAT(error(), HasSubstr("has no train"));
  here_.write("train/a/x.txt", "");
  EXPECT_THAT(error(), HasSubstr("train has no .jpg, .jpeg or .png"));
  here_.write("train/a/1.png", flat({2, 2}, 1));
  EXPECT_THAT(error(), HasSubstr("has no val, valid or test"));
  here_.write("test/c/1.png", flat({2, 2}, 1));
  EXPECT_THAT(error(), HasSubstr("class 'c', which is none of the 1 folders"));
  EXPECT_THAT(error_of<InputError>([] { open_dataset("imagefolder:nowhere", {}); }),
              HasSubstr("no folder 'nowhere': searched "));
}

TEST(ImageFolderOptions, AreReadAndChecked) {
  const ImageFolderOptions options = parse_image_folder_options("size=5,resize=7,keep=0");
  EXPECT_EQ(options.size, 5);
  EXPECT_EQ(options.resize, 7);
  EXPECT_EQ(options.keep, 0);
  const auto error = [](const char* text) {
    return error_of<InputError>([&] { parse_image_folder_options(text); });
  };
  EXPECT_THAT(error("sise=3"), HasSubstr("unknown key 'sise'"));
  EXPECT_THAT(error("size=3,size=4"), HasSubstr("size is given twice"));
  EXPECT_THAT(error("size=0"), HasSubstr("size is '0', expected 1, ..., 4096"));
  EXPECT_THAT(error("size"), HasSubstr("size is ''"));
  EXPECT_THAT(error("keep=-1"), HasSubstr("keep is '-1', expected 0"));
}

TEST_F(ImageFolder, RefusesASizeThatTheResizedImageLacks) {
  write_small();
  EXPECT_THAT(error_of<InputError>([&] { open(",size=5,resize=4"); }), HasSubstr("at most resize"));
}

TEST_F(ImageFolder, ReadsTheRealTinyImageNet) {
  const char* const data = std::getenv("LASTBIT_DATA");
  const std::string packed =
      std::string(data == nullptr ? "" : data) + "/tiny-imagenet/tiny-imagenet-a.tar.xz";
  const std::string unpack = "tar -xf '" + packed + "' -C '" + here_.path().string() + "'";
  if (!std::filesystem::exists(packed) || std::system(unpack.c_str()) != 0) {
    GTEST_SKIP() << "needs tiny-imagenet/tiny-imagenet-a.tar.xz in $LASTBIT_DATA, tar and xz";
  }
  const Dataset set = open_dataset((here_.path() / "tiny-imagenet-a").string(), {});
  EXPECT_EQ(set.train->size(), 8000);
  EXPECT_EQ(set.test->size(), 5000);
  EXPECT_EQ(set.train->classes(), 100);
  EXPECT_THAT(set.train->sample_shape(), ElementsAre(3, 64, 64));
  EXPECT_THAT(set.train->skipped(), IsEmpty());
  std::vector<int> counts(100, 0);
  for (const std::int32_t label : set.test->labels()) ++counts[label];
  EXPECT_THAT(counts, ::testing::Each(50));
}

}  // namespace
}  // namespace lastbit
