#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/data/detection.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Unpacks a set of detection/ in $LASTBIT_DATA, and skips the test where it is not to be found.
class RealVoc : public ::testing::Test {
 protected:
  void unpack(const std::string& name) {
    const char* const folder = std::getenv("LASTBIT_DATA");
    if (folder == nullptr) GTEST_SKIP() << "needs $LASTBIT_DATA";
    const auto packed = std::filesystem::path(folder) / "detection" / (name + ".tar.xz");
    const std::string command =
        "tar -xJf '" + packed.string() + "' -C '" + here_.path().string() + "' 2>/dev/null";
    if (!std::filesystem::exists(packed) || std::system(command.c_str()) != 0) {
      GTEST_SKIP() << "needs detection/" << name << ".tar.xz in $LASTBIT_DATA, tar and xz";
    }
    set_ = open_detection("voc:" + (here_.path() / name).string(), {});
  }

  static std::array<int, 3> counts(const DetectionSource& source) {
    std::array<int, 3> all{};
    for (const DetectionEntry& entry : source.entries()) {
      for (const LabelledBox& object : entry.objects)
        ++all.at(static_cast<std::size_t>(object.label));
    }
    return all;
  }

  TempFolder here_;
  DetectionSet set_;
};

TEST_F(RealVoc, BccdHasItsCellsAndTwoEmptyBoxes) {
  unpack("bccd");
  if (IsSkipped()) return;
  EXPECT_THAT(set_.class_names, ElementsAre("Platelets", "RBC", "WBC"));
  EXPECT_EQ(set_.train->size(), 292);
  EXPECT_EQ(set_.test->size(), 72);
  const std::array<int, 3> train = counts(*set_.train);
  const std::array<int, 3> test = counts(*set_.test);
  EXPECT_EQ(train[0] + test[0], 361);
  EXPECT_EQ(train[1] + test[1], 4155 - 2);
  EXPECT_EQ(train[2] + test[2], 372);
  EXPECT_THAT(set_.train->skipped(), IsEmpty());
  EXPECT_EQ(set_.train->corrected().size() + set_.test->corrected().size(), 2U);
  EXPECT_THAT(set_.train->read(0).image.size, (ImageSize{480, 640}));
}

TEST_F(RealVoc, RaccoonHasNoLists) {
  unpack("raccoon");
  if (IsSkipped()) return;
  EXPECT_THAT(set_.class_names, ElementsAre("raccoon"));
  EXPECT_EQ(set_.train->size(), 160);
  EXPECT_EQ(set_.test->size(), 40);
  EXPECT_EQ(counts(*set_.train)[0] + counts(*set_.test)[0], 217);
  EXPECT_THAT(set_.train->corrected(), IsEmpty());
  for (std::int64_t i = 0; i < set_.test->size(); ++i) EXPECT_EQ(set_.test->read(i).index, i);
  EXPECT_THAT(set_.test->skipped(), IsEmpty());
}

}  // namespace
}  // namespace lastbit
