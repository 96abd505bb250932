#include "lastbit/method/registry.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "every_method.h"
#include "lastbit/base/error.h"

namespace lastbit {
namespace {

TEST(Methods, AreFoundByTheirNames) {
  ASSERT_FALSE(methods().empty());
  for (const MethodInfo& info : methods()) {
    EXPECT_EQ(&find_method(info.name), &info);
    EXPECT_EQ(make_method(info)->name(), info.name);
    EXPECT_FALSE(info.summary.empty());
  }
}

TEST(Methods, AreListedWhereANameIsUnknown) {
  try {
    find_method("magic");
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(
        error.what(),
        "[method] 'magic' is not known, expected one of: admm, lc, lc-qp, dc, idc, md-tanh-s, "
        "md-softmax-s, md-tanh, md-softmax, gd-tanh, pmf, picm, bc, bwn, twn, ttq, lsq, dorefa, "
        "inq, proxquant, binaryrelax, parq");
  }
  EXPECT_THROW(find_method(""), InputError);
}

TEST(Methods, TakeTheirOptions) {
  const MethodInfo& admm = find_method("admm");
  EXPECT_EQ(make_method(admm)->passes(), 1);
  EXPECT_EQ(make_method(admm, {{"extragradient", "true"}})->passes(), 2);
  EXPECT_THROW(make_method(admm, {{"prediction", "-1"}}), InputError);
}

// A fallback that does not parse, or an option that is read but not declared, would fail here.
TEST(Methods, AcceptTheirPapersOptions) {
  for (const MethodInfo& info : methods()) {
    std::map<std::string, std::string> given;
    for (const Advice& advice : info.paper) {
      for (const OptionInfo& option : info.options) {
        if (option.name == advice.option) given.emplace(advice.option, advice.value);
      }
    }
    EXPECT_NO_THROW(make_method(info, given)) << info.name;
    for (const OptionInfo& option : info.options) EXPECT_FALSE(option.help.empty());
  }
}

TEST(Methods, RefuseOptionsOfOthers) {
  try {
    make_method(find_method("lc"), {{"extragradient", "true"}});
    FAIL() << "expected InputError";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "[method] 'lc' has no option 'extragradient', expected one of: pull, mu");
  }
}

INSTANTIATE_TEST_SUITE_P(Method,
                         EveryMethod,
                         testing::ValuesIn(methods().begin(), methods().end()),
                         test_name);

}  // namespace
}  // namespace lastbit
