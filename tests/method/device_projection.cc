#include "lastbit/method/device_projection.h"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "support.h"

namespace lastbit {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Quantized on_device(const std::string& set,
                    const std::vector<float>& weights,
                    const ChannelLayout& layout,
                    const Quantized* start = nullptr) {
  const auto projector = parse_projector(set);
  const ProjectionTask task{projector.get(), tensor_of(weights), layout, start};
  return project_on_device(std::span(&task, 1)).front();
}

std::vector<float> weights_of_kind(const std::string& kind, std::size_t count) {
  Random random(7, count);
  std::vector<float> weights(count);
  for (float& w : weights) {
    const double x = random.normal();
    if (kind == "normal") w = static_cast<float>(x);
    if (kind == "tied") w = 0.5F * static_cast<float>(random.below(9)) - 2.0F;
    if (kind == "above zero") w = static_cast<float>(std::abs(x) + 0.1);
    if (kind == "below zero") w = static_cast<float>(-std::abs(x));
    if (kind == "wide") w = static_cast<float>(std::exp(5.0 * random.normal()) * x);
    if (kind == "zero") w = random.below(2) == 0 ? 0.0F : -0.0F;
    if (kind == "equal") w = -0.3F;
    if (kind == "largest") {
      w = (random.below(2) == 0 ? 1.0F : -1.0F) * std::numeric_limits<float>::max();
    }
    if (kind == "denormal") w = static_cast<float>(1e-42 * x);
  }
  return weights;
}

// The scales may be neighbouring floats, for they are made of sums in another order. With
// `of_many_fits`, several fits may gain the same, and either may be found.
void expect_same(const Quantized& device, const Quantized& cpu, bool of_many_fits = false) {
  ASSERT_EQ(device.levels, cpu.levels);
  EXPECT_EQ(device.per, cpu.per);
  EXPECT_EQ(device.layout, cpu.layout);
  EXPECT_EQ(device.group, cpu.group);
  ASSERT_EQ(device.scales.size(), cpu.scales.size());
  for (std::size_t i = 0; i < cpu.scales.size() && !of_many_fits; ++i) {
    EXPECT_GE(device.scales[i], std::nextafter(cpu.scales[i], -kInfinity));
    EXPECT_LE(device.scales[i], std::nextafter(cpu.scales[i], kInfinity));
  }
  ASSERT_EQ(device.codes.size(), cpu.codes.size());
  if (device.scales == cpu.scales) {
    EXPECT_EQ(device.codes, cpu.codes);
  }
  // Sums of at most 2e3 squares, all positive: 2e3 * 2^-53 of them, for either. Where scales are
  // neighbours, their step of 2^-23 of a level changes the error by 2^-23 ||w|| ||error||: at the
  // optimum the slope vanishes, and 2^-46 ||w||^2 is left.
  double energy = 0.0;
  for (const float w : decoded(cpu)) energy += static_cast<double>(w) * w;
  EXPECT_NEAR(device.squared_error,
              cpu.squared_error,
              1e-12 * cpu.squared_error + (device.scales == cpu.scales ? 0.0 : 0x1p-40 * energy));
}

class DeviceProjection : public testing::TestWithParam<std::string> {};

TEST_P(DeviceProjection, IsThatOfTheCpu) {
  const std::string set = GetParam();
  for (const std::string kind : {"normal",
                                 "tied",
                                 "above zero",
                                 "below zero",
                                 "wide",
                                 "zero",
                                 "equal",
                                 "largest",
                                 "denormal"}) {
    for (const ChannelLayout& layout :
         {ChannelLayout{1, 1, 1}, {1, 4, 6}, {3, 2, 4}, {6, 4, 1}, {1, 3, 500}}) {
      SCOPED_TRACE(testing::Message() << kind << ", layout " << layout.before << " x "
                                      << layout.channels << " x " << layout.after);
      const auto weights = weights_of_kind(kind, static_cast<std::size_t>(layout.size()));
      expect_same(on_device(set, weights, layout),
                  parse_projector(set)->project(weights, layout),
                  // Its 128 levels of either sign fit a few values in many ways.
                  set == "uniform:8/channel" && kind != "normal" && kind != "wide");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets,
                         DeviceProjection,
                         testing::Values("binary",
                                         "binary/none",
                                         "binary/channel",
                                         "ternary",
                                         "ternary/none",
                                         "ternary/channel",
                                         "ternary/group:2",
                                         "ternary/group:5",
                                         "ternary/group:1000",
                                         "shift:2",
                                         "shift:2/channel",
                                         "pow2:3",
                                         "uniform:2",
                                         "uniform:8/channel",
                                         "levels:-1,0,0.5,1",
                                         "levels:-1,0,0.5,1/channel",
                                         "levels:1,2",
                                         "levels:-3,-1,2/group:3",
                                         "levels:-1,0,1e30",
                                         "shift:1/alternating",
                                         "kmeans:4"));

TEST(DeviceProjectionOfLearnedLevels, EndsWhereTheCpuDoesFromTheSameStart) {
  const ChannelLayout layout{1, 1, 3000};
  const auto weights = random_values(3000, 3);
  auto moved = weights;
  for (float& w : moved) w = 1.1F * w + 0.05F;
  for (const std::string set : {"kmeans:2", "kmeans:4", "kmeans:16"}) {
    const auto projector = parse_projector(set);
    const Quantized start = projector->project(weights, layout);
    const Quantized cpu = projector->project(moved, layout, {.start = &start});
    const Quantized device = on_device(set, moved, layout, &start);
    // The rounds are the same, and means differ by the rounding of sums in double alone.
    for (std::size_t k = 0; k < cpu.levels.levels().size(); ++k) {
      EXPECT_FLOAT_EQ(device.levels.levels()[k], cpu.levels.levels()[k]);
    }
    EXPECT_NEAR(device.squared_error, cpu.squared_error, 1e-6 * cpu.squared_error);
  }
}

TEST(DeviceProjectionOfLearnedLevels, SearchesAnewWhereALevelLosesItsWeights) {
  const ChannelLayout layout{1, 1, 6};
  const std::vector<float> before{-1, 0, 1, 2, 50, 51};
  const std::vector<float> after{-1, 0, 1, 2, 3, 4};
  const auto projector = parse_projector("kmeans:3");
  const Quantized start = projector->project(before, layout);
  expect_same(on_device("kmeans:3", after, layout, &start), projector->project(after, layout));
}

TEST(DeviceProjection, ProjectsEachTaskByItself) {
  const auto ternary = parse_projector("ternary/channel");
  const auto kmeans = parse_projector("kmeans:3");
  const auto binary = parse_projector("binary");
  const std::vector<std::vector<float>> weights = {
      random_values(12, 1), random_values(20, 2), random_values(7, 3)};
  const std::vector<ProjectionTask> tasks = {
      {ternary.get(), tensor_of(weights[0]), {2, 3, 2}, nullptr},
      {kmeans.get(), tensor_of(weights[1]), {1, 1, 20}, nullptr},
      {binary.get(), tensor_of(weights[2]), {1, 7, 1}, nullptr}};
  const auto points = project_on_device(tasks);
  ASSERT_EQ(points.size(), tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    expect_same(points[i], tasks[i].set->project(weights[i], tasks[i].layout));
  }
}

TEST(DeviceProjection, RefusesWhatTheCpuRefusesInTheSameWords) {
  const auto words = [](const auto& work) -> std::string {
    try {
      work();
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  const ChannelLayout layout{1, 1, 3};
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity}) {
    const std::vector<float> weights{1.0F, bad, 2.0F};
    for (const std::string set : {"ternary", "binary/none", "kmeans:2"}) {
      const std::string said = words([&] { on_device(set, weights, layout); });
      EXPECT_EQ(said, words([&] { parse_projector(set)->project(weights, layout); }));
      EXPECT_NE(said.find("weights[1] is "), std::string::npos) << said;
    }
  }
  const std::vector<float> weights{1.0F, 2.0F};
  EXPECT_EQ(words([&] { on_device("ternary", weights, layout); }),
            "[ternary] 2 weights do not fill the layout 1 x 1 x 3");
  const Quantized start = parse_projector("kmeans:2")->project(weights, {1, 1, 2});
  EXPECT_EQ(words([&] {
              on_device("kmeans:3", {1.0F, 2.0F, 3.0F}, layout, &start);
            }),
            "[kmeans:3] a start of 2 weights and 2 levels, expected one of the same layout and 3 "
            "levels");
}

}  // namespace
}  // namespace lastbit
