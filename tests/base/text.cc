#include "lastbit/base/text.h"

#include <array>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"

namespace lastbit {
namespace {

TEST(Cat, JoinsWhatPrints) {
  EXPECT_EQ(cat("weights[", 3, "] is ", 0.5, ", ", std::string("ternary")),
            "weights[3] is 0.5, ternary");
  EXPECT_EQ(cat(""), "");
}

TEST(Cat, PrintsNumbersAsStreamsDo) {
  const auto streamed = [](const auto& value) {
    std::ostringstream out;
    out << value;
    return out.str();
  };
  for (const double value : {0.0,
                             -0.0,
                             1.0 / 3.0,
                             1e-7,
                             123456.0,
                             1234567.0,
                             -2.5e300,
                             std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(cat(value), streamed(value));
    EXPECT_EQ(cat(static_cast<float>(value)), streamed(static_cast<float>(value)));
  }
  EXPECT_EQ(cat(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(cat(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(cat('x', true, std::string_view("y")), "x1y");
}

TEST(Cat, PrintsBytesAsNumbers) { EXPECT_EQ(cat(std::uint8_t{65}, " ", std::int8_t{-3}), "65 -3"); }

TEST(Join, SeparatesItems) {
  EXPECT_EQ(join(std::array<int, 3>{1, 28, 28}), "1, 28, 28");
  EXPECT_EQ(join(std::vector<std::string>{"a", "b"}, " x "), "a x b");
  EXPECT_EQ(join(std::vector<int>{}), "");
  EXPECT_EQ(join(std::vector<int>{7}), "7");
}

TEST(Matches, ComparesPlainNames) {
  EXPECT_TRUE(matches("conv1", "conv1"));
  EXPECT_FALSE(matches("conv1", "conv10"));
  EXPECT_FALSE(matches("conv10", "conv1"));
  EXPECT_FALSE(matches("conv1", "Conv1"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "a"));
}

TEST(Matches, LetsAStarStandForAnyRun) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*", "fc1.weight"));
  EXPECT_TRUE(matches("fc*", "fc"));
  EXPECT_TRUE(matches("fc*weight", "fc12.weight"));
  EXPECT_FALSE(matches("fc*weight", "fc12.weights"));
  EXPECT_TRUE(matches("*.weight", "a.weight.weight"));
  EXPECT_TRUE(matches("**a**", "bab"));
  EXPECT_FALSE(matches("*a*b*", "ba"));
}

TEST(Matches, LetsAQuestionMarkStandForOne) {
  EXPECT_TRUE(matches("fc?", "fc1"));
  EXPECT_FALSE(matches("fc?", "fc"));
  EXPECT_FALSE(matches("fc?", "fc12"));
  EXPECT_TRUE(matches("?*", "a"));
  EXPECT_FALSE(matches("?*", ""));
}

TEST(Matches, EndsSoonOnHostilePatterns) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "a*";
  // Backtracking over all stars would take longer than the age of the universe.
  EXPECT_FALSE(matches(pattern + "b", std::string(1000, 'a')));
  EXPECT_TRUE(matches(pattern, std::string(1000, 'a')));
}

bool matches_by_definition(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') {
    for (std::size_t skip = 0; skip <= name.size(); ++skip) {
      if (matches_by_definition(pattern.substr(1), name.substr(skip))) return true;
    }
    return false;
  }
  return !name.empty() && (pattern[0] == '?' || pattern[0] == name[0]) &&
         matches_by_definition(pattern.substr(1), name.substr(1));
}

TEST(Matches, AgreesWithItsDefinition) {
  Random random(1);
  int matched = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    std::string pattern;
    std::string name;
    for (auto left = random.below(7); left > 0; --left) pattern += "ab?*"[random.below(4)];
    for (auto left = random.below(7); left > 0; --left) name += "ab"[random.below(2)];
    const bool expected = matches_by_definition(pattern, name);
    ASSERT_EQ(matches(pattern, name), expected) << "'" << pattern << "' on '" << name << "'";
    matched += expected ? 1 : 0;
  }
  EXPECT_GT(matched, 1000);
}

}  // namespace
}  // namespace lastbit
