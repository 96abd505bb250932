#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/data/dataset.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::ElementsAre;

// Opens a data set of $LASTBIT_DATA, and skips the test where it is not to be found.
class RealData : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* const folder = std::getenv("LASTBIT_DATA");
    if (folder == nullptr || !std::filesystem::exists(std::filesystem::path(folder) / GetParam())) {
      GTEST_SKIP() << "needs " << GetParam() << " in $LASTBIT_DATA";
    }
    set_ = open_dataset(GetParam(), {});
  }

  // Mean of all training pixels in [0, 1].
  double mean() const {
    double sum = 0.0;
    std::vector<float> image(784);
    for (std::int64_t i = 0; i < set_.train->size(); ++i) {
      set_.train->gather(std::span(&i, 1), image);
      sum = std::accumulate(image.begin(), image.end(), sum);
    }
    return sum / (784.0 * static_cast<double>(set_.train->size()));
  }

  void expect_shape() const {
    EXPECT_EQ(set_.train->size(), 60000);
    EXPECT_EQ(set_.test->size(), 10000);
    EXPECT_EQ(set_.train->classes(), 10);
    EXPECT_THAT(set_.test->sample_shape(), ElementsAre(1, 28, 28));
  }

  Dataset set_;
};

class Mnist : public RealData {};
INSTANTIATE_TEST_SUITE_P(InLastbitData, Mnist, ::testing::Values("mnist"));

TEST_P(Mnist, HasItsPublishedFigures) {
  expect_shape();
  EXPECT_THAT(set_.train->labels().first(5), ElementsAre(5, 0, 4, 1, 9));
  EXPECT_THAT(set_.test->labels().first(5), ElementsAre(7, 2, 1, 0, 4));
  EXPECT_NEAR(mean(), 0.1307, 5e-5);
}

class FashionMnist : public RealData {};
INSTANTIATE_TEST_SUITE_P(InLastbitData, FashionMnist, ::testing::Values("fashion-mnist"));

TEST_P(FashionMnist, HasItsPublishedFigures) {
  expect_shape();
  EXPECT_THAT(set_.train->labels().first(5), ElementsAre(9, 0, 0, 3, 0));
  EXPECT_NEAR(mean(), 0.2860, 5e-5);
}

// The records of the original CIFAR-10 that are at hand, as the whole set's files.
class Cifar10 : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const folder = std::getenv("LASTBIT_DATA");
    if (folder == nullptr) GTEST_SKIP() << "needs $LASTBIT_DATA";
    const std::filesystem::path cifar = std::filesystem::path(folder) / "cifar10";
    if (!unpack(cifar / "cifar10-original-train-first4000.bin.xz", "data_batch_1.bin") ||
        !unpack(cifar / "cifar10-original-test-200.bin.xz", "test_batch.bin")) {
      GTEST_SKIP() << "needs cifar10/cifar10-original-*.bin.xz in $LASTBIT_DATA, and xz";
    }
    for (const char* const name : {"2", "3", "4", "5"}) {
      std::filesystem::create_symlink(here_.path() / "test_batch.bin",
                                      here_.path() / (std::string("data_batch_") + name + ".bin"));
    }
    set_ = open_dataset(here_.path().string(), {});
  }

  bool unpack(const std::filesystem::path& packed, const std::string& name) {
    const std::string command =
        "xz -dc '" + packed.string() + "' > '" + (here_.path() / name).string() + "' 2>/dev/null";
    return std::filesystem::exists(packed) && std::system(command.c_str()) == 0;
  }

  TempFolder here_;
  Dataset set_;
};

TEST_F(Cifar10, HasItsPublishedLabelsAndMean) {
  ASSERT_EQ(set_.train->size(), 4000 + 4 * 200);
  EXPECT_THAT(set_.train->labels().first(20),
              ElementsAre(6, 9, 9, 4, 1, 1, 2, 7, 8, 3, 4, 7, 7, 2, 9, 9, 9, 3, 2, 6));
  std::vector<int> counts(10, 0);
  for (const std::int32_t label : set_.train->labels().first(4000)) ++counts[label];
  EXPECT_THAT(counts, ElementsAre(396, 366, 420, 384, 422, 393, 414, 385, 407, 413));
  // 0.4914, 0.4822, 0.4465 over all 50,000 images: so many differ from it by less than 0.01.
  std::vector<double> sums(3, 0.0);
  std::vector<float> image(3072);
  for (std::int64_t i = 0; i < 4000; ++i) {
    set_.train->gather(std::span(&i, 1), image);
    for (std::size_t k = 0; k < image.size(); ++k) sums[k / 1024] += image[k];
  }
  const double count = 4000.0 * 1024.0;
  EXPECT_NEAR(sums[0] / count, 0.4914, 0.01);
  EXPECT_NEAR(sums[1] / count, 0.4822, 0.01);
  EXPECT_NEAR(sums[2] / count, 0.4465, 0.01);
}

}  // namespace
}  // namespace lastbit
