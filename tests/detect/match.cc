#include "lastbit/detect/match.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "tests/detect/boxes.h"

namespace lastbit {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<CentredBox> centred_all(const std::vector<Box>& boxes) {
  std::vector<CentredBox> all;
  for (const Box& box : boxes) all.push_back(centred(box));
  return all;
}

// By the words of the header: all pairs, sorted anew for every truth.
std::vector<std::int32_t> match_by_pairs(const std::vector<Box>& truths,
                                         const std::vector<Box>& priors,
                                         double threshold) {
  std::vector<std::int32_t> matches(priors.size(), kNoTruth);
  struct Pair {
    double overlap;
    std::size_t truth;
    std::size_t prior;
  };
  std::vector<Pair> pairs;
  for (std::size_t t = 0; t < truths.size(); ++t) {
    for (std::size_t p = 0; p < priors.size(); ++p)
      pairs.push_back({iou(truths[t], priors[p]), t, p});
  }
  std::ranges::stable_sort(pairs, std::ranges::greater(), &Pair::overlap);
  std::set<std::size_t> done;
  for (const Pair& pair : pairs) {
    if (pair.overlap <= 0.0 || matches[pair.prior] != kNoTruth || done.contains(pair.truth))
      continue;
    matches[pair.prior] = static_cast<std::int32_t>(pair.truth);
    done.insert(pair.truth);
  }
  for (const Pair& pair : pairs) {
    if (pair.overlap > threshold && matches[pair.prior] == kNoTruth) {
      matches[pair.prior] = static_cast<std::int32_t>(pair.truth);
    }
  }
  return matches;
}

TEST(MatchPriors, OfHandMadeBoxes) {
  const std::vector<Box> priors = {{0, 0, 4, 4}, {0, 0, 4, 3}, {4, 4, 8, 8}, {8, 8, 9, 9}};
  // The first truth overlaps the third prior a little and nothing else; the second the first two.
  const std::vector<Box> truths = {{7, 7, 9, 8}, {0, 0, 4, 4}};
  EXPECT_THAT(match_priors(truths, centred_all(priors)), ElementsAre(1, 1, 0, kNoTruth));
  EXPECT_THAT(match_priors(truths, centred_all(priors), 0.75),
              ElementsAre(1, kNoTruth, 0, kNoTruth));
}

TEST(MatchPriors, GivesTwoTruthsThatWantOnePriorOneEach) {
  const std::vector<Box> priors = {{0, 0, 10, 10}, {0, 0, 2, 2}};
  const std::vector<Box> truths = {{0, 0, 9, 9}, {0, 0, 10, 10}};
  EXPECT_THAT(match_priors(truths, centred_all(priors)), ElementsAre(1, 0));
}

TEST(MatchPriors, IsThatOfAllPairs) {
  Random random(11);
  for (int round = 0; round < 400; ++round) {
    std::vector<Box> priors(random.below(30));
    std::vector<Box> truths(random.below(8));
    // Few places, so that many overlaps are equal.
    for (Box& box : priors) box = random_box(random, 6);
    for (Box& box : truths) box = random_box(random, 6);
    const double threshold = random.uniform();
    EXPECT_EQ(match_priors(truths, centred_all(priors), threshold),
              match_by_pairs(truths, priors, threshold));
  }
}

TEST(MatchPriors, FindsEveryTruthAPriorOfSsd300) {
  const std::vector<CentredBox> priors = make_priors(ssd300_prior_maps());
  Random random(2);
  std::vector<Box> truths(40);
  for (Box& truth : truths) {
    truth = random_box(random, 32);
    for (float* edge : {&truth.left, &truth.top, &truth.right, &truth.bottom}) *edge /= 32.0F;
  }
  const std::vector<std::int32_t> matches = match_priors(truths, priors);
  const std::set<std::int32_t> matched(matches.begin(), matches.end());
  EXPECT_EQ(matched.size(), 41U);  // and kNoTruth
}

TEST(MatchPriors, WithoutTruthsMatchesNone) {
  const std::vector<CentredBox> priors = centred_all({{0, 0, 1, 1}, {1, 1, 2, 2}});
  EXPECT_THAT(match_priors({}, priors), Each(kNoTruth));
  const std::vector<Box> truths = {{0, 0, 1, 1}};
  EXPECT_THAT(match_priors(truths, {}), IsEmpty());
}

TEST(MatchPriors, RefusesTruthsWithoutArea) {
  const std::vector<Box> truths = {{0, 0, 1, 1}, {0, 0, NAN, 1}};
  try {
    match_priors(truths, {});
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("truths[1] has no area"));
  }
}

TEST(MineHardNegatives, TakesTheLargestLosses) {
  const std::vector<std::int32_t> matches = {-1, -1, 4, -1, -1, -1};
  const std::vector<float> losses = {1, 5, 9, 2, 5, 0};
  EXPECT_THAT(mine_hard_negatives(losses, matches), ElementsAre(0, 1, 1, 1, 1, 0));
  EXPECT_THAT(mine_hard_negatives(losses, matches, 1.0), ElementsAre(0, 1, 1, 0, 0, 0));
  EXPECT_THAT(mine_hard_negatives(losses, matches, 0.0), ElementsAre(0, 0, 1, 0, 0, 0));
  EXPECT_THAT(mine_hard_negatives(losses, matches, 1e300), Each(1));
}

TEST(MineHardNegatives, IsThatOfSorting) {
  Random random(4);
  for (int round = 0; round < 300; ++round) {
    const std::size_t count = random.below(60);
    std::vector<float> losses(count);
    std::vector<std::int32_t> matches(count);
    for (float& loss : losses) loss = static_cast<float>(random.below(8));
    for (std::int32_t& match : matches) match = random.below(6) == 0 ? 0 : kNoTruth;
    std::vector<std::size_t> order;
    std::vector<std::uint8_t> expected(count);
    for (std::size_t i = 0; i < count; ++i) {
      expected[i] = matches[i] == kNoTruth ? 0 : 1;
      if (matches[i] == kNoTruth) order.push_back(i);
    }
    std::ranges::stable_sort(
        order, std::ranges::greater(), [&](std::size_t i) { return losses[i]; });
    const std::size_t most = std::min(order.size(), 3 * (count - order.size()));
    for (std::size_t i = 0; i < most; ++i) expected[order[i]] = 1;
    EXPECT_EQ(mine_hard_negatives(losses, matches), expected);
  }
}

TEST(MineHardNegatives, RefusesWhatHasNoOrder) {
  const std::vector<std::int32_t> matches = {-1, -1};
  for (const std::vector<float>& losses : {std::vector<float>{1, NAN}, std::vector<float>{1}}) {
    EXPECT_THROW(mine_hard_negatives(losses, matches), InputError);
  }
  EXPECT_THROW(mine_hard_negatives(std::vector<float>{1, 2}, matches, NAN), InputError);
  for (const double ratio : {-1.0, double{INFINITY}}) {
    EXPECT_THROW(mine_hard_negatives(std::vector<float>{1, 2}, matches, ratio), InputError);
  }
}

}  // namespace
}  // namespace lastbit
