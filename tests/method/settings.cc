#include "lastbit/method/settings.h"

#include <functional>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"

namespace lastbit {
namespace {

const std::vector<OptionInfo> kOptions = {{"rate", "0.5", "a number"},
                                          {"count", "3", "a whole number"},
                                          {"fast", "false", "a flag"},
                                          {"rho", "0.1..2", "a schedule"},
                                          {"mu", "", "a schedule, or none"},
                                          {"form", "linear", "a choice"}};

Settings with(std::map<std::string, std::string> given) {
  return {"trick", kOptions, std::move(given)};
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Settings, FallBackWhereNothingIsGiven) {
  const Settings settings = with({});
  EXPECT_EQ(settings.text("rate"), "0.5");
  EXPECT_EQ(settings.number("rate", 0.0, 1.0), 0.5);
  EXPECT_EQ(settings.count("count", 1, 9), 3);
  EXPECT_FALSE(settings.flag("fast"));
  EXPECT_EQ(settings.schedule("rho").text(), "0.1..2");
  EXPECT_FALSE(settings.optional_schedule("mu").has_value());
  EXPECT_EQ(settings.choice("form", {"linear", "cubic"}), "linear");
}

TEST(Settings, TakeWhatIsGiven) {
  const Settings settings = with({{"rate", "1e-3"},
                                  {"count", "-7"},
                                  {"fast", "true"},
                                  {"rho", "2*0.5@3rounds"},
                                  {"mu", "cosine:4"},
                                  {"form", "cubic"}});
  EXPECT_EQ(settings.number("rate", 0.0, 1.0), 1e-3);
  EXPECT_EQ(settings.count("count", -9, 9), -7);
  EXPECT_TRUE(settings.flag("fast"));
  EXPECT_EQ(settings.schedule("rho").text(), "2*0.5@3rounds");
  EXPECT_EQ(settings.optional_schedule("mu").value_or(1.0).text(), "cosine:4");
  EXPECT_EQ(settings.choice("form", {"linear", "cubic"}), "cubic");
}

TEST(Settings, TakeTheEndsOfARange) {
  EXPECT_EQ(with({{"rate", "0"}}).number("rate", 0.0, 1.0), 0.0);
  EXPECT_EQ(with({{"rate", "1"}}).number("rate", 0.0, 1.0), 1.0);
  EXPECT_EQ(with({{"count", "9"}}).count("count", 1, 9), 9);
  EXPECT_EQ(with({{"count", "9223372036854775807"}})
                .count("count", 1, std::numeric_limits<std::int64_t>::max()),
            std::numeric_limits<std::int64_t>::max());
}

TEST(Settings, RefuseWhatIsNoNumberOfTheRange) {
  for (const std::string text : {"",
                                 " 0.5",
                                 "0.5 ",
                                 "0.5x",
                                 "half",
                                 "1.0001",
                                 "-0.1",
                                 "nan",
                                 "inf",
                                 "-inf",
                                 "1e999",
                                 "0,5"}) {
    EXPECT_EQ(refusal([&] {
                with({{"rate", text}}).number("rate", 0.0, 1.0);
              }),
              "[trick --rate] '" + text + "', expected a number from 0 to 1");
  }
}

TEST(Settings, RefuseWhatIsNoWholeNumberOfTheRange) {
  for (const std::string text : {"", "0", "10", "2.5", "2e0", "x", "99999999999999999999", "+ 2"}) {
    EXPECT_EQ(refusal([&] {
                with({{"count", text}}).count("count", 1, 9);
              }),
              "[trick --count] '" + text + "', expected a whole number from 1 to 9");
  }
}

TEST(Settings, RefuseWhatIsNoChoice) {
  EXPECT_EQ(refusal([] {
              with({{"fast", "yes"}}).flag("fast");
            }),
            "[trick --fast] 'yes', expected one of: true, false");
  EXPECT_EQ(refusal([] {
              with({{"fast", ""}}).flag("fast");
            }),
            "[trick --fast] '', expected one of: true, false");
  EXPECT_EQ(refusal([] {
              with({{"form", "Cubic"}}).choice("form", {"linear", "cubic"});
            }),
            "[trick --form] 'Cubic', expected one of: linear, cubic");
}

TEST(Settings, RefuseWhatIsNoSchedule) {
  for (const std::string text : {"0", "-1", "x", "1..", "1*", "1*2@", "cosine:", "nan", "inf"}) {
    const std::string what = refusal([&] { with({{"rho", text}}).schedule("rho"); });
    EXPECT_EQ(what.find("[trick --rho] '" + text + "' is not a schedule, expected "), 0U) << what;
    EXPECT_NE(refusal([&] { with({{"mu", text}}).optional_schedule("mu"); }), "accepted") << text;
  }
  EXPECT_NE(refusal([] { with({{"rho", ""}}).schedule("rho"); }), "accepted");
}

TEST(Settings, ListTheOptionsWhereOneIsUnknown) {
  EXPECT_EQ(refusal([] {
              with({{"rat", "1"}});
            }),
            "[method] 'trick' has no option 'rat', expected one of: rate, count, fast, rho, mu, "
            "form");
  EXPECT_EQ(refusal([] {
              const std::vector<OptionInfo> none;
              const Settings settings("plain", none, {{"rate", "1"}});
            }),
            "[method] 'plain' has no option 'rate', expected none: it has no options");
}

// A mistake of the program, not of its user.
TEST(Settings, TakeNoNameThatIsNotDeclared) {
  EXPECT_THROW(with({}).text("speed"), std::logic_error);
  EXPECT_THROW(with({}).flag("speed"), std::logic_error);
}

}  // namespace
}  // namespace lastbit
