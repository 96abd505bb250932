#include "lastbit/detect/average_precision.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "tests/detect/boxes.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;

constexpr PrecisionRule kElevenPoint = PrecisionRule::kElevenPoint;
constexpr PrecisionRule kArea = PrecisionRule::kArea;

// Of one class.
double precision(const std::vector<EvaluatedImage>& images,
                 PrecisionRule rule,
                 double extra = 0.0) {
  return mean_average_precision(images, 1, {.rule = rule, .extra = extra})
      .classes.at(0)
      .average_precision;
}

Truth truth(float at, bool difficult = false) {
  return {.box = {at, 0, at + 10, 10}, .label = 0, .difficult = difficult};
}
Detection detection(float at, float score) {
  return {.box = {at, 0, at + 10, 10}, .label = 0, .score = score};
}

TEST(AveragePrecision, OfPerfectDetectionsIsOne) {
  const std::vector<EvaluatedImage> images = {
      {{truth(0), truth(50)}, {detection(0, 0.9F), detection(50, 0.2F)}},
      {{truth(0)}, {detection(0, 0.5F)}}};
  EXPECT_DOUBLE_EQ(precision(images, kElevenPoint), 1.0);
  EXPECT_DOUBLE_EQ(precision(images, kArea), 1.0);
}

// By falling score: found, false alarm, found, false alarm, and one of three truths is missed.
// Precision is 1 up to a recall of 1/3, 2/3 up to 2/3, then 0.
TEST(AveragePrecision, OfAHandComputedCurve) {
  const std::vector<EvaluatedImage> images = {
      {{truth(0), truth(50)}, {detection(0, 0.9F), detection(100, 0.8F)}},
      {{truth(0)}, {detection(0, 0.7F), detection(200, 0.1F)}}};
  EXPECT_DOUBLE_EQ(precision(images, kElevenPoint), (4 * 1.0 + 3 * (2.0 / 3.0)) / 11.0);
  EXPECT_DOUBLE_EQ(precision(images, kArea), (1.0 + 2.0 / 3.0) / 3.0);
  const ClassPrecision one = mean_average_precision(images, 1, {}).classes[0];
  EXPECT_EQ(one.truths, 3);
  EXPECT_EQ(one.found, 2);
  EXPECT_EQ(one.false_alarms, 2);
}

TEST(AveragePrecision, CountsATruthFoundTwiceAsAFalseAlarm) {
  const std::vector<EvaluatedImage> images = {
      {{truth(0), truth(50)}, {detection(0, 0.9F), detection(1, 0.8F), detection(50, 0.7F)}}};
  EXPECT_DOUBLE_EQ(precision(images, kArea), (1.0 + 2.0 / 3.0) / 2.0);
}

// The second detection overlaps the second truth by 7 / 13, but the first one more: it does not
// turn to the second.
TEST(AveragePrecision, ComparesWithTheNearestTruthAlone) {
  const std::vector<EvaluatedImage> images = {
      {{truth(0), truth(5)}, {detection(0, 0.9F), detection(2, 0.8F)}}};
  EXPECT_DOUBLE_EQ(precision(images, kArea), 0.5);
}

TEST(AveragePrecision, PassesOverDifficultTruths) {
  const std::vector<EvaluatedImage> images = {
      {{truth(0, true), truth(50)}, {detection(0, 0.9F), detection(1, 0.8F), detection(50, 0.7F)}}};
  EXPECT_DOUBLE_EQ(precision(images, kArea), 1.0);
  const std::vector<EvaluatedImage> missed = {{{truth(0, true), truth(50)}, {detection(50, 1)}}};
  EXPECT_DOUBLE_EQ(precision(missed, kElevenPoint), 1.0);
}

// 3 of 10 is a recall of 0.3, though 3 / 10.0 < 3 * 0.1 in doubles.
TEST(AveragePrecision, TakesRecallsOfTenthsExactly) {
  EvaluatedImage image;
  for (int i = 0; i < 10; ++i) image.truths.push_back(truth(static_cast<float>(50 * i)));
  for (int i = 0; i < 3; ++i) {
    image.detections.push_back(detection(static_cast<float>(50 * i), 0.5F));
  }
  EXPECT_DOUBLE_EQ(precision({image}, kElevenPoint), 4.0 / 11.0);
}

TEST(AveragePrecision, FindsFromTheLimitOn) {
  // Overlaps of 5 / 10.
  const std::vector<EvaluatedImage> images = {{{{{0, 0, 10, 10}}}, {{{0, 0, 10, 5}, 0, 1.0F}}}};
  EXPECT_EQ(mean_average_precision(images, 1, {.min_iou = 0.5}).classes[0].found, 1);
  EXPECT_EQ(mean_average_precision(images, 1, {.min_iou = 0.50001}).classes[0].found, 0);
}

TEST(AveragePrecision, OfPixelsEqualsThatOfEdges) {
  // Pixels 0, ..., 2 of 0, ..., 5: half of them. Without the last pixel it is 2 of 5.
  const std::vector<EvaluatedImage> pixels = {{{{{0, 0, 5, 0}}}, {{{0, 0, 2, 0}, 0, 1.0F}}}};
  const std::vector<EvaluatedImage> edges = {{{{{0, 0, 6, 1}}}, {{{0, 0, 3, 1}, 0, 1.0F}}}};
  EXPECT_DOUBLE_EQ(precision(pixels, kArea, 1.0), 1.0);
  EXPECT_DOUBLE_EQ(precision(edges, kArea), 1.0);
  EXPECT_DOUBLE_EQ(precision(pixels, kArea), 0.0);
}

TEST(MeanAveragePrecision, IsOfTheClassesThatHaveTruths) {
  std::vector<EvaluatedImage> images(1);
  images[0].truths = {{{0, 0, 1, 1}, 0}, {{0, 0, 1, 1}, 2}, {{0, 0, 1, 1}, 3, true}};
  images[0].detections = {{{0, 0, 1, 1}, 0, 0.5F}, {{0, 0, 1, 1}, 1, 0.5F}};
  const MeanPrecision mean = mean_average_precision(images, 4, {.rule = kArea});
  EXPECT_DOUBLE_EQ(mean.mean, 0.5);
  EXPECT_DOUBLE_EQ(mean.classes[0].average_precision, 1.0);
  EXPECT_TRUE(std::isnan(mean.classes[1].average_precision));
  EXPECT_EQ(mean.classes[1].false_alarms, 1);
  EXPECT_DOUBLE_EQ(mean.classes[2].average_precision, 0.0);
  EXPECT_TRUE(std::isnan(mean.classes[3].average_precision));
  EXPECT_TRUE(std::isnan(mean_average_precision({}, 3, {}).mean));
}

TEST(MeanAveragePrecision, NamesWhatIsWrong) {
  const auto refusal = [](const EvaluatedImage& image) -> std::string {
    try {
      mean_average_precision(std::vector{EvaluatedImage{}, image}, 2, {});
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(refusal({{{{0, 0, 1, 1}, 2}}, {}}),
              HasSubstr("truth 0 of image 1 has label 2, expected 0, ..., 1"));
  EXPECT_THAT(refusal({{}, {{{0, 0, 1, 1}, -1, 0.5F}}}), HasSubstr("detection 0 of image 1 has"));
  EXPECT_THAT(refusal({{}, {{{0, 0, 1, 1}, 1, NAN}}}), HasSubstr("a score of nan"));
}

/// Random truths and detections of one class in few places.
std::vector<EvaluatedImage> random_images(Random& random) {
  std::vector<EvaluatedImage> images(1 + random.below(6));
  for (EvaluatedImage& image : images) {
    for (std::uint64_t i = random.below(6); i > 0; --i) {
      image.truths.push_back({random_box(random, 7), 0, random.below(4) == 0});
    }
    for (std::uint64_t i = random.below(9); i > 0; --i) {
      const auto score = static_cast<float>(random.below(12)) / 16.0F;
      const bool near = !image.truths.empty() && random.below(2) == 0;
      image.detections.push_back(
          {near ? image.truths[random.below(image.truths.size())].box : random_box(random, 7),
           0,
           score});
    }
  }
  images[0].truths.push_back({random_box(random, 7), 0, false});
  return images;
}

struct Reference {
  double eleven_point = 0.0;
  double area = 0.0;
};

// A Python that has numpy; empty where there is none.
std::string python_with_numpy() {
  for (const std::string python : {"python3", "/usr/bin/python3"}) {
    if (std::system((python + " -c 'import numpy' >/dev/null 2>&1").c_str()) == 0) return python;
  }
  return {};
}

// The definitions with exact quotients, in Python: voc_precision.py.
Reference by_python(const std::string& python,
                    const std::vector<EvaluatedImage>& images,
                    double extra,
                    const std::filesystem::path& file) {
  std::ofstream out(file);
  out << std::setprecision(9);
  const auto write = [&](const Box& box) {
    out << ' ' << box.left << ' ' << box.top << ' ' << box.right << ' ' << box.bottom << '\n';
  };
  for (std::size_t k = 0; k < images.size(); ++k) {
    for (const Truth& one : images[k].truths) {
      out << "truth " << k << ' ' << (one.difficult ? 1 : 0);
      write(one.box);
    }
    for (const Detection& one : images[k].detections) {
      out << "found " << k << ' ' << one.score;
      write(one.box);
    }
  }
  out << "extra " << extra << '\n';
  out.close();
  const std::string answer = file.string() + ".out";
  const std::string command =
      cat(python, " '", LASTBIT_REFERENCE, "' < '", file.string(), "' > '", answer, "'");
  EXPECT_EQ(std::system(command.c_str()), 0);
  Reference reference;
  std::ifstream(answer) >> reference.eleven_point >> reference.area;
  return reference;
}

TEST(AveragePrecision, IsThatOfAReferenceInPython) {
  const std::string python = python_with_numpy();
  if (python.empty()) GTEST_SKIP() << "no python3 with numpy is installed";
  std::string folder = (std::filesystem::temp_directory_path() / "lastbit-ap-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  Random random(21);
  for (int round = 0; round < 12; ++round) {
    const std::vector<EvaluatedImage> images = random_images(random);
    const double extra = round % 2;
    const Reference expected =
        by_python(python, images, extra, std::filesystem::path(folder) / std::to_string(round));
    // Sums of some ten quotients.
    EXPECT_NEAR(precision(images, kElevenPoint, extra), expected.eleven_point, 1e-14);
    EXPECT_NEAR(precision(images, kArea, extra), expected.area, 1e-14);
  }
  std::filesystem::remove_all(folder);
}

// Recall and precision after every detection, and for each recall the best precision from there on,
// all anew.
TEST(AveragePrecision, IsThatOfTheWholeCurve) {
  Random random(22);
  for (int round = 0; round < 300; ++round) {
    const std::vector<EvaluatedImage> images = random_images(random);
    std::vector<std::pair<std::size_t, Detection>> sorted;
    for (std::size_t k = 0; k < images.size(); ++k) {
      for (const Detection& one : images[k].detections) sorted.emplace_back(k, one);
    }
    std::ranges::stable_sort(
        sorted, std::ranges::greater(), [](const auto& pair) { return pair.second.score; });
    int truths = 0;
    for (const EvaluatedImage& image : images) {
      truths += static_cast<int>(std::ranges::count(image.truths, false, &Truth::difficult));
    }
    std::vector<std::pair<int, int>> curve;  // found, false alarms
    std::vector<std::pair<std::size_t, std::size_t>> taken;
    int found = 0;
    int alarms = 0;
    for (const auto& [k, one] : sorted) {
      const std::vector<Truth>& here = images[k].truths;
      const auto nearest = std::ranges::max_element(
          here, {}, [&](const Truth& candidate) { return iou(one.box, candidate.box); });
      const bool hit = nearest != here.end() && iou(one.box, nearest->box) >= 0.5;
      if (hit && nearest->difficult) continue;
      const std::pair<std::size_t, std::size_t> place = {k, nearest - here.begin()};
      const bool first = hit && std::ranges::find(taken, place) == taken.end();
      if (first) taken.push_back(place);
      ++(first ? found : alarms);
      curve.emplace_back(found, alarms);
    }
    // At a recall of number / of, or more.
    const auto best_from = [&](int number, int of) {
      double best = 0.0;
      for (const auto& [hits, misses] : curve) {
        if (hits * of >= number * truths) best = std::max(best, hits / double(hits + misses));
      }
      return best;
    };
    double eleven = 0.0;
    for (int tenth = 0; tenth <= 10; ++tenth) eleven += best_from(tenth, 10) / 11.0;
    double area = 0.0;
    for (int hits = 1; hits <= found; ++hits) area += best_from(hits, truths) / truths;
    EXPECT_NEAR(precision(images, kElevenPoint), eleven, 1e-14);
    EXPECT_NEAR(precision(images, kArea), area, 1e-14);
  }
}

}  // namespace
}  // namespace lastbit
