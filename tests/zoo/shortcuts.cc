#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/graph/parameters.h"
#include "lastbit/runtime/session.h"
#include "lastbit/zoo/builder.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {
namespace {

using testing::HasSubstr;

std::int64_t parameters(std::string_view name) {
  const Graph graph = make_network(name, {.input = {3, 32, 32}, .shortcut = "pad"});
  std::int64_t count = 0;
  for (const Parameter& parameter : trainable_parameters(graph)) {
    count += element_count(parameter.shape);
  }
  return count;
}

// He et al. 2016, table 6: 0.27, 0.46, 0.66 and 0.85 million.
TEST(PaddedShortcuts, HaveNoParameters) {
  EXPECT_EQ(parameters("resnet20"), 269722);
  EXPECT_EQ(parameters("resnet32"), 464154);
  EXPECT_EQ(parameters("resnet44"), 658586);
  EXPECT_EQ(parameters("resnet56"), 853018);
}

TEST(PaddedShortcuts, TakeEverySecondPixelBetweenChannelsOfZeros) {
  NetworkBuilder network("net", {.input = {2, 5, 4}, .center = "none"}, "relu");
  network.subsample("shortcut", 7, 2);
  EXPECT_EQ(network.here().sample, (Shape{7, 3, 2}));
  network.flatten();
  Session session(network.finish());
  std::vector<float> input(40);
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i + 1);
  std::vector<float> output(42, NAN);
  const std::span<const float> in = input;
  const std::span<float> out = output;
  session.run({&in, 1}, {&out, 1});
  for (std::size_t c = 0; c < 7; ++c) {
    for (std::size_t y = 0; y < 3; ++y) {
      for (std::size_t x = 0; x < 2; ++x) {
        // Two channels of zeros in front, three behind.
        const float expected = c == 2 || c == 3 ? input[((c - 2) * 5 + 2 * y) * 4 + 2 * x] : 0.0F;
        EXPECT_EQ(output[(c * 3 + y) * 2 + x], expected) << c << " " << y << " " << x;
      }
    }
  }
}

std::string refusal(std::string_view name, const std::string& shortcut) {
  try {
    make_network(name, {.input = {3, 32, 32}, .shortcut = shortcut});
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(PaddedShortcuts, AreRefusedWhereThereAreNone) {
  EXPECT_THAT(refusal("vgg16", "pad"), HasSubstr("vgg16: the shortcut 'pad' does not fit"));
  EXPECT_THAT(refusal("resnet20", "none"),
              HasSubstr("the shortcut is 'none', expected 'convolution' or 'pad'"));
}

}  // namespace
}  // namespace lastbit
