#include "lastbit/quant/digits.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"

namespace lastbit {
namespace {

std::vector<Code> random_codes(std::size_t count, int radix, std::uint64_t seed) {
  Random random(seed);
  std::vector<Code> codes(count);
  for (Code& code : codes) code = static_cast<Code>(random.below(static_cast<unsigned>(radix)));
  return codes;
}

TEST(Digits, HoldsAsManyInAByteAsFit) {
  for (int radix = 2; radix <= 256; ++radix) {
    SCOPED_TRACE(radix);
    const int digits = digits_per_byte(radix);
    double values = 1.0;
    for (int i = 0; i < digits; ++i) values *= radix;
    EXPECT_LE(values, 256.0);
    EXPECT_GT(values * radix, 256.0);
  }
  EXPECT_EQ(digits_per_byte(2), 8);
  EXPECT_EQ(digits_per_byte(3), 5);
  EXPECT_EQ(digits_per_byte(4), 4);
  EXPECT_EQ(digits_per_byte(5), 3);
  EXPECT_EQ(digits_per_byte(6), 3);
  EXPECT_EQ(digits_per_byte(7), 2);
  EXPECT_EQ(digits_per_byte(16), 2);
  EXPECT_EQ(digits_per_byte(17), 1);
}

TEST(Digits, TakesAWholeByteForAnUnfinishedOne) {
  EXPECT_EQ(packed_size(0, 3), 0U);
  EXPECT_EQ(packed_size(1, 3), 1U);
  EXPECT_EQ(packed_size(5, 3), 1U);
  EXPECT_EQ(packed_size(6, 3), 2U);
  EXPECT_EQ(packed_size(9, 2), 2U);
  EXPECT_EQ(packed_size(9, 200), 9U);
}

TEST(Digits, PutsTheFirstDigitAtPlaceValueOne) {
  EXPECT_EQ(pack(std::vector<Code>{1, 2, 0, 0, 1, 2}, 3),
            (std::vector<std::uint8_t>{1 + 2 * 3 + 81, 2}));
  EXPECT_EQ(pack(std::vector<Code>{1, 0, 1, 1, 0, 0, 0, 1, 1}, 2),
            (std::vector<std::uint8_t>{0b10001101, 1}));
  EXPECT_EQ(pack(std::vector<Code>{3, 4}, 5), (std::vector<std::uint8_t>{23}));
}

TEST(Digits, ComeBackForEveryRadixAndLength) {
  for (int radix = 2; radix <= 256; ++radix) {
    for (const std::size_t count : {0, 1, 2, 3, 5, 7, 15, 16, 17, 31, 33, 1000}) {
      SCOPED_TRACE(testing::Message() << "radix " << radix << ", count " << count);
      const auto codes = random_codes(count, radix, count + static_cast<std::size_t>(radix));
      const auto bytes = pack(codes, radix);
      ASSERT_EQ(bytes.size(), packed_size(count, radix));
      EXPECT_NO_THROW(check_packed(bytes, radix, count));
      std::vector<Code> again(count);
      unpack(bytes, radix, 0, again);
      EXPECT_EQ(again, codes);
    }
  }
}

TEST(Digits, CanBeReadFromEveryOffsetAndInEveryLength) {
  constexpr std::size_t kCount = 41;
  constexpr Code kGuard = 255;
  for (const int radix : {2, 3, 4, 5, 6, 7, 16, 17, 255}) {
    const auto codes = random_codes(kCount, radix, 7);
    const auto bytes = pack(codes, radix);
    for (std::size_t first = 0; first <= kCount; ++first) {
      for (std::size_t length = 0; first + length <= kCount; ++length) {
        std::vector<Code> part(length + 1, kGuard);
        unpack(bytes, radix, first, std::span(part).first(length));
        ASSERT_TRUE(std::equal(part.begin(), part.end() - 1, codes.begin() + first))
            << "radix " << radix << ", digits " << first << " to " << first + length;
        ASSERT_EQ(part.back(), kGuard) << "radix " << radix << ", written past the end";
      }
    }
  }
}

RC_GTEST_PROP(Digits, ComeBackWhateverTheyAre, (const std::vector<std::uint8_t>& raw)) {
  const int radix = *rc::gen::inRange(2, 257);
  std::vector<Code> codes(raw);
  for (Code& code : codes) code = static_cast<Code>(code % radix);
  const auto bytes = pack(codes, radix);
  check_packed(bytes, radix, codes.size());
  const auto first = *rc::gen::inRange<std::size_t>(0, codes.size() + 1);
  std::vector<Code> again(codes.size() - first);
  unpack(bytes, radix, first, again);
  RC_ASSERT(std::equal(again.begin(), again.end(), codes.begin() + static_cast<long>(first)));
}

std::string refusal(const std::vector<std::uint8_t>& bytes, int radix, std::size_t count) {
  try {
    check_packed(bytes, radix, count);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(CheckPacked, RefusesAWrongSize) {
  EXPECT_EQ(refusal({0, 0, 0}, 3, 10),
            "[packed codes] 3 bytes, expected 2 for 10 digits of radix 3");
  EXPECT_EQ(refusal({0}, 3, 10), "[packed codes] 1 bytes, expected 2 for 10 digits of radix 3");
  EXPECT_EQ(refusal({0}, 3, 0), "[packed codes] 1 bytes, expected 0 for 0 digits of radix 3");
  EXPECT_EQ(refusal({}, 3, 0), "accepted");
}

TEST(CheckPacked, RefusesAByteThatNoDigitsMake) {
  EXPECT_EQ(refusal({0, 243}, 3, 10),
            "[packed codes] bytes[1] is 243, expected less than 243 (5 digits of radix 3)");
  EXPECT_EQ(refusal({0, 242}, 3, 10), "accepted");
  EXPECT_EQ(refusal({125, 0}, 5, 6),
            "[packed codes] bytes[0] is 125, expected less than 125 (3 digits of radix 5)");
  EXPECT_EQ(refusal({17}, 17, 1),
            "[packed codes] bytes[0] is 17, expected less than 17 (1 digits of radix 17)");
  EXPECT_EQ(refusal({255, 255}, 256, 2), "accepted");
  EXPECT_EQ(refusal({255, 255}, 16, 4), "accepted");
}

TEST(CheckPacked, RefusesAFillingThatIsNotZero) {
  EXPECT_EQ(refusal({0, 9}, 3, 7),
            "[packed codes] the last byte is 9, expected less than 9: the filling after digit 7 "
            "is not zero");
  EXPECT_EQ(refusal({242, 8}, 3, 7), "accepted");
  EXPECT_EQ(refusal({0, 2}, 2, 9),
            "[packed codes] the last byte is 2, expected less than 2: the filling after digit 9 "
            "is not zero");
}

TEST(CheckPacked, AcceptsExactlyTheBytesThatPackMakes) {
  // For each single byte: accepted if and only if unpacking and packing gives it back.
  for (const int radix : {2, 3, 4, 5, 6, 7, 15, 16, 17, 100, 256}) {
    for (int count = 1; count <= digits_per_byte(radix); ++count) {
      for (int byte = 0; byte < 256; ++byte) {
        const std::vector<std::uint8_t> bytes{static_cast<std::uint8_t>(byte)};
        std::vector<Code> codes(static_cast<std::size_t>(count));
        unpack(bytes, radix, 0, codes);
        const bool in_range =
            std::all_of(codes.begin(), codes.end(), [&](Code code) { return code < radix; });
        const bool expected = in_range && pack(codes, radix) == bytes;
        ASSERT_EQ(refusal(bytes, radix, codes.size()) == "accepted", expected)
            << "radix " << radix << ", count " << count << ", byte " << byte;
      }
    }
  }
}

}  // namespace
}  // namespace lastbit
