#include "lastbit/data/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/data/arrays.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class NpzFile : public ::testing::Test {
 protected:
  Npz open(const std::string& bytes) const { return Npz(folder_.write("a.npz", bytes)); }
  std::string error_with(const std::string& bytes) const {
    return error_of([&] { open(bytes).read("a"); });
  }

  TempFolder folder_;
};

TEST_F(NpzFile, ReadsStoredAndDeflatedEntries) {
  const std::string text(1000, 'z');
  const Npz npz =
      open(zip({{"a.npy", text, true}, {"b.npy", "bytes", false}, {"c.txt", "", false}}));
  EXPECT_THAT(npz.arrays(), ElementsAre("a", "b"));
  EXPECT_EQ(text_of(npz.read("a")), text);
  EXPECT_EQ(text_of(npz.read("b")), "bytes");
  EXPECT_TRUE(npz.has("b"));
  EXPECT_FALSE(npz.has("c"));
}

TEST_F(NpzFile, FindsTheEndBehindAComment) {
  std::string file = zip({{"a.npy", "bytes", false}});
  file.replace(file.size() - 2, 2, little(5, 2) + "hello");
  EXPECT_EQ(text_of(open(file).read("a")), "bytes");
}

TEST_F(NpzFile, ListsTheArraysWhenOneIsMissing) {
  const Npz npz = open(zip({{"b.npy", "", false}, {"c.npy", "", false}}));
  EXPECT_THAT(error_of([&] { npz.read("a"); }), HasSubstr("has no array a; it has: b, c"));
}

TEST_F(NpzFile, RefusesWhatIsNoArchive) {
  EXPECT_THAT(error_with(""), HasSubstr("is no zip archive or is cut off"));
  EXPECT_THAT(error_with(std::string(100, 'x')), HasSubstr("is no zip archive or is cut off"));
}

TEST_F(NpzFile, RefusesEncryption) {
  std::string file = zip({{"a.npy", "bytes", false}});
  file[file.find("PK\x01\x02") + 8] = 1;
  EXPECT_THAT(error_with(file), HasSubstr("a.npy is encrypted"));
}

TEST_F(NpzFile, RefusesOtherMethods) {
  std::string file = zip({{"a.npy", "bytes", false}});
  file[file.find("PK\x01\x02") + 10] = 12;
  EXPECT_THAT(error_with(file), HasSubstr("packed by method 12, expected 0 (stored) or 8"));
}

TEST_F(NpzFile, NoticesADamagedEntry) {
  std::string file = zip({{"a.npy", "bytes", false}});
  file[file.find("bytes")] = 'B';
  EXPECT_THAT(error_with(file), AllOf(HasSubstr("a.npy is damaged"), HasSubstr("CRC-32")));
}

TEST_F(NpzFile, ChecksThePromisedSizes) {
  const std::string file = zip({{"a.npy", std::string(500, 'q'), true}});
  const std::size_t entry = file.find("PK\x01\x02");
  const auto with_size = [&](std::uint32_t size) {
    std::string changed = file;
    return changed.replace(entry + 24, 4, little(size, 4));
  };
  EXPECT_THAT(error_with(with_size(499)),
              HasSubstr("unpacks to more than 499 bytes, expected 499"));
  EXPECT_THAT(error_with(with_size(501)), HasSubstr("unpacks to 500 bytes, expected 501"));
  EXPECT_THAT(error_with(with_size(0xfffffffeU)), HasSubstr("too few for the 4294967294"));
}

class Arrays : public ::testing::Test {
 protected:
  // A folder of four files; both parts are alike.
  Dataset open(const std::string& x, const std::string& y) { return open(x, y, x, y); }
  Dataset open(const std::string& x,
               const std::string& y,
               const std::string& x_test,
               const std::string& y_test) {
    folder_.write("x_train.npy", x);
    folder_.write("y_train.npy", y);
    folder_.write("x_test.npy", x_test);
    folder_.write("y_test.npy", y_test);
    return read_npy_folder("set", folder_.path());
  }
  std::string error_with(const std::string& x, const std::string& y) {
    return error_of([&] { open(x, y); });
  }

  TempFolder folder_;
  const std::string labels_ = npy("<i8", "(2,)", raw<std::int64_t>({1, 0}));
  const std::string vectors_ = npy("<f4", "(2, 3)", raw<float>({1, 2, 3, 4, 5, 6}));
};

TEST_F(Arrays, ReadsVectors) {
  const Dataset set = open(vectors_, labels_);
  EXPECT_THAT(set.train->sample_shape(), ElementsAre(3));
  EXPECT_THAT(gather(*set.train, {1}), ElementsAre(4, 5, 6));
  EXPECT_EQ(set.train->classes(), 2);
}

TEST_F(Arrays, ReadsBytesAsImagesOfOneChannel) {
  const Dataset set = open(npy("|u1", "(2, 1, 2)", std::string("\0\xff\x33\x66", 4)), labels_);
  EXPECT_THAT(set.train->sample_shape(), ElementsAre(1, 1, 2));
  EXPECT_THAT(gather(*set.train, {0, 1}), ElementsAre(0.0F, 1.0F, 0.2F, 0.4F));
}

TEST_F(Arrays, KeepsTheChannelsOfFourDimensions) {
  const Dataset set = open(npy("<f8", "(2, 3, 1, 1)", raw<double>({1, 2, 3, 4, 5, 6})), labels_);
  EXPECT_THAT(set.test->sample_shape(), ElementsAre(3, 1, 1));
}

TEST_F(Arrays, TakesLabelsInAColumn) {
  const Dataset set = open(vectors_, npy("|u1", "(2, 1)", "\1\4"));
  EXPECT_THAT(set.test->labels(), ElementsAre(1, 4));
}

TEST_F(Arrays, CountsClassesOverBothParts) {
  const Dataset set = open(vectors_, labels_, vectors_, npy("|u1", "(2,)", "\1\6"));
  EXPECT_EQ(set.train->classes(), 7);
  EXPECT_EQ(set.test->classes(), 7);
}

TEST_F(Arrays, ReadsAnNpzFile) {
  const auto path = folder_.write("set.npz",
                                  zip({{"x_test.npy", vectors_, true},
                                       {"x_train.npy", vectors_, false},
                                       {"y_train.npy", labels_, false},
                                       {"y_test.npy", labels_, true}}));
  const Dataset set = read_npz("set", path);
  EXPECT_THAT(gather(*set.test, {0}), ElementsAre(1, 2, 3));
  EXPECT_THAT(set.test->labels(), ElementsAre(1, 0));
}

TEST_F(Arrays, RefusesNegativeLabelsByIndex) {
  EXPECT_THAT(error_with(vectors_, npy("|i1", "(2,)", "\1\xff")),
              AllOf(HasSubstr("y_train.npy label 1 is -1"), HasSubstr("expected 0, ...")));
}

TEST_F(Arrays, RefusesNumbersThatAreNotFiniteByIndex) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(error_with(npy("<f4", "(2, 3)", raw<float>({1, 2, 3, 4, 5, nan})), labels_),
              HasSubstr("x_train.npy value 2 of sample 1 is nan"));
}

TEST_F(Arrays, RefusesOtherShapes) {
  EXPECT_THAT(error_with(npy("<f4", "(2,)", raw<float>({1, 2})), labels_),
              HasSubstr("has shape (2), expected (n, features)"));
  EXPECT_THAT(error_with(npy("<f4", "(2, 0)", ""), labels_), HasSubstr("size 0 in dimension 1"));
  EXPECT_THAT(error_with(vectors_, npy("|u1", "(1, 2)", "\1\1")),
              HasSubstr("has shape (1, 2), expected (n) or (n, 1)"));
}

TEST_F(Arrays, RefusesSamplesOfOtherIntegers) {
  EXPECT_THAT(error_with(npy("<i4", "(2, 1)", raw<std::int32_t>({1, 2})), labels_),
              HasSubstr("has dtype <i4, expected u1 (divided by 255), f4 or f8"));
}

TEST_F(Arrays, RefusesPartsOfTwoShapes) {
  const std::string wide = npy("<f4", "(2, 1)", raw<float>({1, 2}));
  EXPECT_THAT(error_of([&] { open(vectors_, labels_, wide, labels_); }),
              AllOf(HasSubstr("x_test.npy has samples of (1)"), HasSubstr("has (3)")));
}

TEST_F(Arrays, RefusesCountsThatDiffer) {
  EXPECT_THAT(error_with(vectors_, npy("|u1", "(3,)", "\1\1\1")),
              AllOf(HasSubstr("has 3 labels"), HasSubstr("has 2 samples")));
}

}  // namespace
}  // namespace lastbit
