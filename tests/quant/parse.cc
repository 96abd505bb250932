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

TEST(ParseProjector, KnowsTheLevelsOfFinerAndListedSets) {
  EXPECT_EQ(levels_of("pow2:1"), (std::vector<float>{-1, -0.5F, 0, 0.5F, 1}));
  EXPECT_EQ(levels_of("pow2:2"), (std::vector<float>{-1, -0.5F, -0.25F, 0, 0.25F, 0.5F, 1}));
  EXPECT_EQ(levels_of("uniform:1"), (std::vector<float>{-1, 1}));
  EXPECT_EQ(levels_of("uniform:2"), (std::vector<float>{-1, -1.0F / 3, 1.0F / 3, 1}));
  EXPECT_EQ(levels_of("uniform:8").size(), 256U);
  EXPECT_EQ(levels_of("levels:-1,0,0.5,1"), (std::vector<float>{-1, 0, 0.5F, 1}));
  EXPECT_EQ(levels_of("levels:1e-3,2.5e3"), (std::vector<float>{1e-3F, 2500}));
}

TEST(ParseProjector, HasNoFixedLevelsForLearnedOnes) {
  const auto set = parse_projector("kmeans:4");
  EXPECT_EQ(set->levels(), nullptr);
  EXPECT_EQ(set->size(), 4);
  EXPECT_EQ(set->granularity(), Granularity::kNone);
  EXPECT_EQ(set->name(), "kmeans:4/none");
}

TEST(ParseProjector, ReadsEveryNameThatItGives) {
  for (const std::string form : {"binary",
                                 "ternary",
                                 "shift:1",
                                 "shift:6",
                                 "pow2:1",
                                 "pow2:6",
                                 "uniform:1",
                                 "uniform:8",
                                 "levels:-1,0,0.5,1",
                                 "levels:0.1,16777216",
                                 "levels:-1e-45,3e+38"}) {
    for (const std::string suffix : {"/none",
                                     "/tensor",
                                     "/channel",
                                     "/gate",
                                     "/gate/alternating",
                                     "/group:1",
                                     "/group:64",
                                     "/tensor/alternating",
                                     "/channel/alternating",
                                     "/group:64/alternating"}) {
      const auto set = parse_projector(form + suffix);
      EXPECT_EQ(parse_projector(set->name())->name(), set->name());
      if (form.find("16777216") == std::string::npos && form.find('e') == std::string::npos) {
        EXPECT_EQ(set->name(), form + suffix);
      }
      EXPECT_EQ(*parse_projector(set->name())->levels(), *set->levels());
    }
  }
  for (const std::string name : {"kmeans:2/none", "kmeans:256/none"}) {
    EXPECT_EQ(parse_projector(name)->name(), name);
  }
}

TEST(ParseProjector, WritesListedLevelsInOneWay) {
  EXPECT_EQ(parse_projector("levels:-1.0,-0,.5")->name(), "levels:-1,0,0.5/tensor");
}

std::string refusal(const std::string& text) {
  try {
    parse_projector(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ParseProjector, ListsTheKnownFormsInItsErrors) {
  EXPECT_EQ(
      refusal("quaternary"),
      "[codebook] unknown set 'quaternary', expected one of binary, ternary, shift:N, pow2:N, "
      "uniform:N, levels:L, kmeans:N, then /none, /tensor (the default), /channel, /gate or "
      "/group:N, then /alternating or nothing");
}

TEST(ParseProjector, SaysWhatIsWrongWithANumber) {
  EXPECT_EQ(refusal("shift:7"),
            "[codebook] '7' in set 'shift:7' is not a whole number from 1 to 6");
  EXPECT_EQ(refusal("pow2:0/none"),
            "[codebook] '0' in set 'pow2:0/none' is not a whole number from 1 to 6");
  EXPECT_EQ(refusal("uniform:9"),
            "[codebook] '9' in set 'uniform:9' is not a whole number from 1 to 8");
  EXPECT_EQ(refusal("kmeans:1"),
            "[codebook] '1' in set 'kmeans:1' is not a whole number from 2 to 256");
  EXPECT_EQ(refusal("kmeans:257"),
            "[codebook] '257' in set 'kmeans:257' is not a whole number from 2 to 256");
  EXPECT_EQ(refusal("ternary/group:0"),
            "[codebook] '0' in set 'ternary/group:0' is not a whole number from 1 to 1073741824");
}

TEST(ParseProjector, SaysWhatIsWrongWithListedLevels) {
  EXPECT_EQ(refusal("levels:1,x"), "[codebook] 'x' in set 'levels:1,x' is not a number of float32");
  EXPECT_EQ(refusal("levels:"), "[codebook] '' in set 'levels:' is not a number of float32");
  EXPECT_EQ(refusal("levels:1,"), "[codebook] '' in set 'levels:1,' is not a number of float32");
  EXPECT_EQ(refusal("levels:1,1e99"),
            "[codebook] '1e99' in set 'levels:1,1e99' is not a number of float32");
  EXPECT_EQ(refusal("levels:1"),
            "[codebook] in set 'levels:1': [codebook] it has 1 levels, expected 2 to 256");
  EXPECT_EQ(refusal("levels:0,nan"),
            "[codebook] in set 'levels:0,nan': [codebook] levels[1] is nan, expected a finite "
            "value");
  EXPECT_EQ(refusal("levels:2,1"),
            "[codebook] in set 'levels:2,1': [codebook] levels[1] is 1, expected more than the "
            "level before it, 2");
}

TEST(ParseProjector, RefusesScalesAndOptionsThatASetDoesNotTake) {
  EXPECT_EQ(refusal("kmeans:4/channel"),
            "[codebook] set 'kmeans:4/channel' learns its levels and takes no '/channel', expected "
            "/none or nothing");
  EXPECT_EQ(refusal("ternary/none/alternating"),
            "[codebook] set 'ternary/none/alternating' has no scale to find by alternating "
            "projection");
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
                                 "ternary/group",
                                 "ternary/alternating/tensor",
                                 "shift",
                                 "kmeans",
                                 "levels",
                                 "binary:1",
                                 "ternary/TENSOR",
                                 "shift:2/channel "}) {
    EXPECT_THAT(refusal(text), testing::HasSubstr("unknown set '" + text + "'"));
  }
  for (const std::string text : {"shift:",
                                 "shift:0",
                                 "shift:99",
                                 "shift:-1",
                                 "shift:02",
                                 "shift:+2",
                                 "shift:2x",
                                 "shift:x",
                                 "shift:2 ",
                                 "shift:/none",
                                 "ternary/group:",
                                 "ternary/group:-1",
                                 "ternary/group:99999999999",
                                 "kmeans:4.0"}) {
    EXPECT_THAT(refusal(text), testing::HasSubstr("in set '" + text + "' is not a whole number"));
  }
}

TEST(KnownSets, AreThoseThatParse) {
  for (const SetInfo& set : known_sets()) {
    std::string text(set.form);
    std::replace(text.begin(), text.end(), 'N', '2');
    if (text == "levels:L") text = "levels:-1,2";
    const bool learned = parse_projector(text)->levels() == nullptr;
    EXPECT_EQ(parse_projector(text)->name(), text + (learned ? "/none" : "/tensor"));
    EXPECT_FALSE(set.summary.empty());
  }
}

}  // namespace
}  // namespace lastbit
