#include "lastbit/data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

const std::string kImages = idx({3, 2, 2}, std::string("\0\xff\x33\x66\1\2\3\4\5\6\7\x8", 12));
const std::string kLabels = idx({3}, std::string("\4\0\2", 3));

void write_mnist(const TempFolder& folder, const std::string& joint, const std::string& ending) {
  const auto pack = [&](const std::string& bytes) { return ending.empty() ? bytes : gzip(bytes); };
  for (const std::string part : {"train", "t10k"}) {
    folder.write(part + "-images" + joint + "idx3-ubyte" + ending, pack(kImages));
    folder.write(part + "-labels" + joint + "idx1-ubyte" + ending, pack(kLabels));
  }
}

class Idx : public ::testing::Test {
 protected:
  std::string error_with(const std::string& images, const std::string& labels) const {
    const auto x = folder_.write("images", images);
    const auto y = folder_.write("labels", labels);
    return error_of([&] {
      Samples samples = read_idx(x, y);
      make_dataset("set", {}, samples, samples);
    });
  }

  TempFolder folder_;
};

TEST_F(Idx, ReadsImagesAsBytesOfOneChannel) {
  write_mnist(folder_, "-", "");
  const Dataset set = read_idx_folder("set", folder_.path());
  EXPECT_THAT(set.train->sample_shape(), ElementsAre(1, 2, 2));
  EXPECT_THAT(set.train->labels(), ElementsAre(4, 0, 2));
  EXPECT_EQ(set.train->classes(), 5);
  EXPECT_EQ(set.test->size(), 3);
  EXPECT_THAT(gather(*set.train, {0}), ElementsAre(0.0F, 1.0F, 0.2F, 0.4F));
}

TEST_F(Idx, ReadsGzipAsItReadsPlainFiles) {
  write_mnist(folder_, "-", ".gz");
  const Dataset set = read_idx_folder("set", folder_.path());
  EXPECT_THAT(gather(*set.test, {2, 0}),
              ElementsAre(5 / 255.0F, 6 / 255.0F, 7 / 255.0F, 8 / 255.0F, 0.0F, 1.0F, 0.2F, 0.4F));
}

TEST_F(Idx, KnowsGzipByItsBytesAndNotByTheName) {
  folder_.write("images", gzip(kImages));
  folder_.write("labels.gz", kLabels);
  EXPECT_EQ(read_idx(folder_.path() / "images", folder_.path() / "labels.gz").labels.size(), 3U);
}

TEST_F(Idx, TakesTheSpellingWithADot) {
  write_mnist(folder_, ".", "");
  EXPECT_EQ(read_idx_folder("set", folder_.path()).train->size(), 3);
}

TEST_F(Idx, ReadsGzipFilesOfSeveralMembers) {
  folder_.write("images", gzip(kImages.substr(0, 20)) + gzip(kImages.substr(20)));
  folder_.write("labels", kLabels);
  const Samples samples = read_idx(folder_.path() / "images", folder_.path() / "labels");
  EXPECT_EQ(std::get<0>(samples.values).back(), 8);
}

TEST_F(Idx, NamesTheMissingFile) {
  write_mnist(folder_, "-", "");
  std::filesystem::remove(folder_.path() / "t10k-labels-idx1-ubyte");
  EXPECT_THAT(error_of<InputError>([&] { read_idx_folder("set", folder_.path()); }),
              AllOf(HasSubstr(folder_.path().string()), HasSubstr("t10k-labels-idx1-ubyte.gz")));
}

TEST_F(Idx, RefusesAnotherMagic) {
  EXPECT_THAT(error_with(kLabels + std::string(20, 'x'), kLabels),
              AllOf(HasSubstr("images begins with 0x00000801"), HasSubstr("expected 0x00000803")));
}

TEST_F(Idx, RefusesFilesThatAreEmptyOrShorterThanTheirHeader) {
  EXPECT_THAT(error_with("", kLabels), HasSubstr("it has 0 bytes, expected a header of 16"));
  EXPECT_THAT(error_with(kImages, kLabels.substr(0, 7)),
              HasSubstr("it has 7 bytes, expected a header of 8"));
  EXPECT_THAT(error_with(gzip("abc"), kLabels),
              HasSubstr("it has 3 bytes, expected a header of 16"));
}

TEST_F(Idx, RefusesFilesThatAreCutOff) {
  EXPECT_THAT(error_with(kImages.substr(0, 27), kLabels),
              HasSubstr("has 27 bytes, but its header promises 28"));
  EXPECT_THAT(error_with(gzip(kImages.substr(0, 27)), kLabels),
              HasSubstr("has 27 bytes, but its header promises 28"));
}

TEST_F(Idx, RefusesBytesBehindTheEnd) {
  EXPECT_THAT(error_with(kImages + "x", kLabels),
              HasSubstr("has 29 bytes, but its header promises 28"));
  EXPECT_THAT(error_with(gzip(kImages + "x"), kLabels), HasSubstr("more than 28 bytes"));
  EXPECT_THAT(error_with(gzip(kImages) + "xyz", kLabels), HasSubstr("3 bytes behind its gzip"));
}

TEST_F(Idx, RefusesSizesOfZero) {
  EXPECT_THAT(error_with(idx({3, 0, 2}, ""), kLabels), HasSubstr("size 0 in dimension 1"));
  EXPECT_THAT(error_with(kImages, idx({0}, "")), HasSubstr("size 0 in dimension 0"));
}

TEST_F(Idx, RefusesCountsThatDiffer) {
  EXPECT_THAT(error_with(kImages, idx({2}, "\1\2")),
              AllOf(HasSubstr("labels has 2 labels"), HasSubstr("has 3 samples")));
}

TEST_F(Idx, TakesNoMemoryForAPromiseThatTheFileCannotKeep) {
  const std::string header = idx({0xffffffU, 0xffffU, 0xffU}, "");
  EXPECT_THAT(error_with(header, kLabels), HasSubstr("has 16 bytes, but its header promises"));
  EXPECT_THAT(error_with(gzip(header), kLabels), HasSubstr("packed bytes, too few for the"));
  EXPECT_THAT(error_with(idx({0xffffffffU, 0xffffffffU, 0xffffffffU}, ""), kLabels),
              HasSubstr("more values than a file can have"));
}

TEST_F(Idx, StopsUnpackingABombAtThePromisedSize) {
  const std::string bomb = gzip(kImages + std::string(std::size_t{64} << 20U, '\0'));
  ASSERT_LT(bomb.size(), 100'000U);
  EXPECT_THAT(error_with(bomb, kLabels),
              EndsWith("more than 28 bytes, but its header promises 28"));
}

TEST_F(Idx, NoticesADamagedChecksum) {
  std::string packed = gzip(kImages);
  packed[packed.size() - 6] ^= 1;
  EXPECT_THAT(error_with(packed, kLabels), HasSubstr("incorrect data check"));
}

}  // namespace
}  // namespace lastbit
