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

}  // namespace
}  // namespace lastbit
