#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/quant/projector.h"

namespace lastbit {
namespace {

std::vector<float> levels_of(const std::string& text) {
  const auto projector = parse_projector(text);
  const auto levels = projector->levels()->levels();
  return {levels.begin(), levels.end()};
}

TEST(ParseProjector, KnowsTheLevelsOfEachSet) {
  EXPECT_EQ(levels_of("binary"), (std::vector<float>{-1, 1}));
  EXPECT_EQ(levels_of("ternary"), (std::vector<float>{-1, 0, 1}));
  EXPECT_EQ(levels_of("shift:1"), (std::vector<float>{-2, -1, 0, 1, 2}));
  EXPECT_EQ(levels_of("shift:2"), (std::vector<float>{-4, -2, -1, 0, 1, 2, 4}));
  EXPECT_EQ(levels_of("shift:6"),
            (std::vector<float>{-64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64}));
}

TEST(ParseProjector, TakesOneScaleATensorWhereNothingIsSaid) {
  EXPECT_EQ(parse_projector("ternary")->granularity(), Granularity::kTensor);
  EXPECT_EQ(parse_projector("ternary")->name(), "ternary/tensor");
  EXPECT_EQ(parse_projector("shift:3/channel")->granularity(), Granularity::kChannel);
  EXPECT_EQ(parse_projector("binary/none")->granularity(), Granularity::kNone);
}

TEST(ParseProjector, ReadsEveryNameThatItGives) {
  for (const std::string form :
       {"binary", "ternary", "shift:1", "shift:2", "shift:3", "shift:4", "shift:5", "shift:6"}) {
    for (const std::string suffix : {"/none", "/tensor", "/channel"}) {
      EXPECT_EQ(parse_projector(form + suffix)->name(), form + suffix);
    }
  }
}

TEST(ParseProjector, ListsTheKnownFormsInItsErrors) {
  try {
    parse_projector("quaternary");
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "[codebook] unknown set 'quaternary', expected one of binary, ternary, shift:N (N "
                 "from 1 to 6), then /none, /tensor (the default) or /channel");
  }
}

TEST(ParseProjector, RefusesWhatIsNotQuiteAName) {
  for (const std::string text : {"",
                                 "/",
                                 "/tensor",
                                 "Ternary",
                                 "ternary ",
                                 " ternary",
                                 "ternary/",
                                 "ternary/foo",
                                 "ternary/tensor/",
                                 "ternary/tensor/channel",
                                 "ternary//tensor",
                                 "shift",
                                 "shift:",
                                 "shift:0",
                                 "shift:7",
                                 "shift:99",
                                 "shift:-1",
                                 "shift:02",
                                 "shift:2x",
                                 "shift:x",
                                 "shift:2 ",
                                 "shift:/none",
                                 "binary:1",
                                 "ternary/TENSOR",
                                 "shift:2/channel "}) {
    SCOPED_TRACE("'" + text + "'");
    try {
      parse_projector(text);
      ADD_FAILURE() << "expected InputError";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("unknown set '" + text + "'"));
    }
  }
}

TEST(KnownSets, AreThoseThatParse) {
  for (const SetInfo& set : known_sets()) {
    std::string text(set.form);
    std::replace(text.begin(), text.end(), 'N', '2');
    EXPECT_EQ(parse_projector(text)->name(), text + "/tensor");
    EXPECT_FALSE(set.summary.empty());
  }
}

}  // namespace
}  // namespace lastbit
