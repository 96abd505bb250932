#include "lastbit/data/digits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/data/sha256.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kPixels = 784;

struct Drawn {
  std::vector<std::uint8_t> images;
  std::vector<std::int32_t> labels;

  bool operator==(const Drawn&) const = default;
};

Drawn draw(std::uint64_t seed, DigitsPart part, std::int64_t first, std::size_t count) {
  Drawn drawn{std::vector<std::uint8_t>(count * kPixels), std::vector<std::int32_t>(count)};
  draw_digits(seed, part, first, drawn.images, drawn.labels);
  return drawn;
}

// Multinomial logistic regression on pixels: the strongest classifier that is linear in them.
class Softmax {
 public:
  void train(const Drawn& set, int epochs, float rate) {
    std::vector<std::size_t> order(set.labels.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    Random random(1);
    for (int epoch = 0; epoch < epochs; ++epoch) {
      random.shuffle(std::span(order));
      const float step = rate * static_cast<float>(epochs - epoch) / static_cast<float>(epochs);
      for (const std::size_t i : order) learn(set.images.data() + i * kPixels, set.labels[i], step);
    }
  }

  double error(const Drawn& set) {
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < set.labels.size(); ++i) {
      run(set.images.data() + i * kPixels);
      const auto best = std::max_element(outputs_.begin(), outputs_.end()) - outputs_.begin();
      if (best != set.labels[i]) ++wrong;
    }
    return static_cast<double>(wrong) / static_cast<double>(set.labels.size());
  }

 private:
  void run(const std::uint8_t* image) {
    outputs_ = biases_;
    for (std::size_t i = 0; i < kPixels; ++i) {
      const float x = static_cast<float>(image[i]) / 255.0F;
      for (std::size_t k = 0; k < 10; ++k) outputs_[k] += weights_[i * 10 + k] * x;
    }
  }

  void learn(const std::uint8_t* image, std::int32_t label, float step) {
    run(image);
    const float top = *std::max_element(outputs_.begin(), outputs_.end());
    float sum = 0.0F;
    for (float& output : outputs_) sum += output = std::exp(output - top);
    std::array<float, 10> change{};
    for (std::size_t k = 0; k < 10; ++k) {
      const float target = static_cast<std::int32_t>(k) == label ? 1.0F : 0.0F;
      change[k] = step * (target - outputs_[k] / sum);
      biases_[k] += change[k];
    }
    for (std::size_t i = 0; i < kPixels; ++i) {
      const float x = static_cast<float>(image[i]) / 255.0F;
      for (std::size_t k = 0; k < 10; ++k) weights_[i * 10 + k] += change[k] * x;
    }
  }

  std::vector<float> weights_ = std::vector<float>(kPixels * 10);  // (pixels, classes)
  std::array<float, 10> biases_{};
  std::array<float, 10> outputs_{};
};

TEST(Digits, DrawsTheSameBytesOnEveryMachine) {
  const Drawn drawn = draw(0, DigitsPart::kTrain, 0, 2000);
  EXPECT_EQ(sha256(std::as_bytes(std::span(drawn.images))),
            "158e679b64800109e1e53ec62fcf19647ca7cb8d0cbd2511953116354b37f074");
  EXPECT_EQ(sha256(std::as_bytes(std::span(drawn.labels))),
            "ade3e4cb0b7a52c44f31aed7b6de38b2e1c19e4bd8b49ae010bed64ecc0dfb42");
}

TEST(Digits, DrawsAnImageAloneAsAmongOthers) {
  const Drawn all = draw(5, DigitsPart::kTest, 10, 20);
  for (std::size_t i = 0; i < 20; ++i) {
    const Drawn one = draw(5, DigitsPart::kTest, static_cast<std::int64_t>(10 + i), 1);
    EXPECT_EQ(one.labels[0], all.labels[i]);
    EXPECT_TRUE(std::equal(one.images.begin(), one.images.end(), all.images.begin() + i * kPixels));
  }
}

TEST(Digits, DoesNotDependOnThreads) {
  const DigitsOptions options{.seed = 9, .train = 301, .test = 7};
  const Dataset one = make_digits(options, 1);
  const Dataset five = make_digits(options, 5);
  std::vector<std::int64_t> indices(301);
  std::iota(indices.begin(), indices.end(), 0);
  EXPECT_EQ(gather(*one.train, indices), gather(*five.train, indices));
  EXPECT_TRUE(std::ranges::equal(one.train->labels(), five.train->labels()));
}

TEST(Digits, DrawsTheSameTestImagesWhateverTheTrainingSize) {
  const Dataset small = make_digits({.seed = 1, .train = 3, .test = 10}, 1);
  const Dataset large = make_digits({.seed = 1, .train = 90, .test = 20}, 1);
  EXPECT_EQ(gather(*small.test, {0, 9}), gather(*large.test, {0, 9}));
}

TEST(Digits, DiffersBySeedAndPart) {
  const Drawn a = draw(0, DigitsPart::kTrain, 0, 100);
  EXPECT_NE(a, draw(1, DigitsPart::kTrain, 0, 100));
  EXPECT_NE(a, draw(0, DigitsPart::kTest, 0, 100));
  EXPECT_EQ(a, draw(0, DigitsPart::kTrain, 0, 100));
}

TEST(Digits, DrawsEachDigitEquallyOften) {
  constexpr int kImages = 10000;
  std::array<int, 10> counts{};
  for (const std::int32_t label : draw(3, DigitsPart::kTrain, 0, kImages).labels) ++counts[label];
  // Binomial(10000, 0.1) has deviation 30; five of them are passed once in 10^5 seeds.
  EXPECT_THAT(counts, Each(::testing::AllOf(::testing::Ge(850), ::testing::Le(1150))));
}

TEST(Digits, PutsInkOnPaper) {
  const Drawn drawn = draw(4, DigitsPart::kTrain, 0, 1000);
  for (std::size_t i = 0; i < 1000; ++i) {
    const auto* const image = drawn.images.data() + i * kPixels;
    const auto dark = std::count_if(image, image + kPixels, [](int pixel) { return pixel > 90; });
    // The shortest stroke, a 1 of 13 pixels by 1, and the fattest 8.
    EXPECT_GE(dark, 12) << i;
    EXPECT_LE(dark, 400) << i;
  }
}

TEST(Digits, IsTooHardForALinearClassifierAndNotBeyondIt) {
  Softmax softmax;
  softmax.train(draw(0, DigitsPart::kTrain, 0, 20000), 6, 0.01F);
  const double error = softmax.error(draw(0, DigitsPart::kTest, 0, 5000));
  EXPECT_GT(error, 0.05);
  EXPECT_LT(error, 0.40);
}

TEST(Digits, HasTenClassesEvenIfFewImagesShowThem) {
  const Dataset set = make_digits({.seed = 0, .train = 1, .test = 1}, 4);
  EXPECT_EQ(set.train->classes(), 10);
  EXPECT_EQ(set.test->classes(), 10);
  EXPECT_THAT(set.train->sample_shape(), ElementsAre(1, 28, 28));
}

TEST(DigitsOptions, ReadsItsKeysInAnyOrder) {
  const DigitsOptions options = parse_digits_options("test=20,seed=18446744073709551615,train=300");
  EXPECT_EQ(options.seed, ~std::uint64_t{0});
  EXPECT_EQ(options.train, 300);
  EXPECT_EQ(options.test, 20);
  EXPECT_EQ(parse_digits_options("seed=3").train, DigitsOptions{}.train);
}

TEST(DigitsOptions, ListsTheKeysForAnUnknownOne) {
  for (const char* const text : {"sed=3", "", "seed=1,", ",seed=1", "seed=1,,test=1", "Seed=1"}) {
    EXPECT_THAT(error_of<InputError>([&] { parse_digits_options(text); }),
                AllOf(HasSubstr("unknown key"), HasSubstr("expected seed, train or test")))
        << text;
  }
}

TEST(DigitsOptions, RefusesWhatIsNoNumberInRange) {
  const auto error = [](const char* text) {
    return error_of<InputError>([&] { parse_digits_options(text); });
  };
  EXPECT_THAT(error("seed"), HasSubstr("seed is ''"));
  EXPECT_THAT(error("seed=-1"), HasSubstr("seed is '-1', expected a whole number"));
  EXPECT_THAT(error("seed=1x"), HasSubstr("seed is '1x'"));
  EXPECT_THAT(error("seed=18446744073709551616"), HasSubstr("expected a whole number"));
  EXPECT_THAT(error("train=0"), HasSubstr("train is 0, expected 1, ..., 1000000"));
  EXPECT_THAT(error("test=1000001"), HasSubstr("test is 1000001"));
  EXPECT_THAT(error("seed=1,seed=1"), HasSubstr("seed is given twice"));
}

}  // namespace
}  // namespace lastbit
