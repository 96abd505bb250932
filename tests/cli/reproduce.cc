#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/training_test.h"

namespace lastbit {
namespace {

using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::Not;

class Reproduce : public CommandTest {
 protected:
  // How many seeds each row is of.
  std::vector<int> seeds(const Words& more) const {
    Words words = {"reproduce",
                   "lc-superresolution",
                   "--data",
                   "digits:train=2000,test=10",
                   "--threads",
                   "1",
                   "--json"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<int> result;
    for (const auto& row : nlohmann::json::parse(succeed(words).out)) {
      result.push_back(row.at("seeds").get<int>());
    }
    EXPECT_THAT(result, Not(IsEmpty()));
    return result;
  }
};

TEST_F(Reproduce, RunsOneSeedAtReducedLengthUnlessToldOtherwise) {
  EXPECT_THAT(seeds({"--quick"}), Each(1));
  EXPECT_THAT(seeds({"--quick", "--seeds", "2"}), Each(2));
}

TEST_F(Reproduce, NamesTheExperimentsWhereOneIsNotKnown) {
  expect_refusal(lastbit({"reproduce", "lc-lenet301"}),
                 {"'lc-lenet301'", "lc-lenet300", "md-mnist"});
}

}  // namespace
}  // namespace lastbit
