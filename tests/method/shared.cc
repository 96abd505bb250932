#include <algorithm>
#include <cctype>
#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/method/admm.h"
#include "lastbit/method/fixed_codes.h"
#include "lastbit/method/registry.h"
#include "support.h"

// Layers that have one codebook, and its scale, in common; and groups of weights with scales of
// their own.

namespace lastbit {
namespace {

constexpr std::int64_t kSize = 40;

// Layers of 12, 8 and 20 weights; the first and the last share `set`.
Weights sharing(const std::string& set, std::uint64_t seed) {
  Weights weights;
  weights.value = tensor_of(random_values(kSize, seed));
  weights.gradient = torch::zeros({kSize});
  weights.layers = {
      {.name = "a", .offset = 0, .layout = {1, 3, 4}, .set = parse_projector(set), .shared = 0},
      {.name = "b", .offset = 12, .layout = {1, 2, 4}, .set = parse_projector("binary")},
      {.name = "c", .offset = 20, .layout = {5, 4, 1}, .set = parse_projector(set), .shared = 0}};
  return weights;
}

std::vector<float> joined(const std::vector<float>& values) {
  std::vector<float> result(values.begin(), values.begin() + 12);
  result.insert(result.end(), values.begin() + 20, values.end());
  return result;
}

void train(Method& method, Weights& weights, Progress& at, int rounds) {
  const torch::Tensor target =
      tensor_of(random_values(static_cast<std::size_t>(weights.size()), 99));
  run_rounds(method, weights, at, rounds, target, /*steps=*/4);
}

class Shared : public testing::TestWithParam<std::string> {};

TEST_P(Shared, LayersAreProjectedAsOne) {
  const Weights weights = sharing(GetParam(), 1);
  const std::vector<Quantized> parts = project(weights.layers, weights.value);
  const std::vector<float> all = joined(vector_of(weights.value));
  const Quantized whole = parse_projector(GetParam())->project(all, {1, 1, 32});
  for (const std::size_t i : {0U, 2U}) {
    EXPECT_EQ(parts[i].levels, whole.levels);
    EXPECT_EQ(parts[i].scales, whole.scales);
    EXPECT_EQ(parts[i].layout, weights.layers[i].layout);
  }
  std::vector<Code> codes = parts[0].codes;
  codes.insert(codes.end(), parts[2].codes.begin(), parts[2].codes.end());
  EXPECT_EQ(codes, whole.codes);
  EXPECT_EQ(parts[0].squared_error + parts[2].squared_error, whole.squared_error);
}

// ADMM on layers with a codebook in common is ADMM on one layer that holds them all.
TEST_P(Shared, LayersGoThroughAdmmAsOne) {
  Weights apart = sharing(GetParam(), 2);
  const auto method = make_admm({.rho = 0.5});
  method->begin(apart);
  Weights whole = one_layer(joined(vector_of(apart.value)), GetParam());
  const auto other = make_admm({.rho = 0.5});
  other->begin(whole);
  const torch::Tensor target = tensor_of(random_values(kSize, 99));
  const torch::Tensor target_of_whole = tensor_of(joined(vector_of(target)));
  Progress at{.total_steps = 60, .total_rounds = 15, .learning_rate = 0.2};
  Progress other_at = at;
  for (; at.round < 15; ++at.round, ++other_at.round) {
    for (int step = 0; step < 4; ++step) {
      descend(
          *method, apart, [&](const torch::Tensor& w) { return w - target; }, at);
      descend(
          *other, whole, [&](const torch::Tensor& w) { return w - target_of_whole; }, other_at);
    }
    method->end_round(at);
    other->end_round(other_at);
    ASSERT_EQ(joined(vector_of(apart.value)), vector_of(whole.value)) << "round " << at.round;
    const Quantized& first = method->deployed()[0];
    const Quantized& last = method->deployed()[2];
    EXPECT_EQ(first.levels, last.levels);
    EXPECT_EQ(first.scales, last.scales);
    EXPECT_EQ(first.levels, other->deployed()[0].levels);
    EXPECT_EQ(first.scales, other->deployed()[0].scales);
  }
}

TEST_P(Shared, LayersKeepOneCodebookWithFixedCodes) {
  Weights weights = sharing(GetParam(), 3);
  const auto method = make_fixed_codes(project(weights.layers, weights.value));
  method->begin(weights);
  const std::vector<float> before = vector_of(weights.value);
  Progress at{.total_steps = 20, .total_rounds = 1, .learning_rate = 0.1};
  const torch::Tensor target = tensor_of(random_values(kSize, 98));
  for (int step = 0; step < 20; ++step) {
    descend(
        *method, weights, [&](const torch::Tensor& w) { return w - target; }, at);
    const Quantized& first = method->deployed()[0];
    const Quantized& last = method->deployed()[2];
    ASSERT_EQ(first.levels, last.levels);
    ASSERT_EQ(first.scales, last.scales);
  }
  EXPECT_NE(vector_of(weights.value), before);
}

INSTANTIATE_TEST_SUITE_P(Sets,
                         Shared,
                         testing::Values("kmeans:2",
                                         "kmeans:4",
                                         "ternary",
                                         "binary/none",
                                         "shift:2",
                                         "levels:-1,0,0.5,1"),
                         [](const auto& parameter) {
                           std::string name;
                           for (const char c : parameter.param) {
                             if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
                           }
                           return name;
                         });

class EveryMethod : public testing::TestWithParam<std::string> {
 protected:
  // Trains, goes on from the state, and gives the deployed points; nothing where the method refuses
  // the weights in the way all do.
  static std::vector<Quantized> trained(const std::function<Weights()>& make) {
    const auto method = make_method(find_method(GetParam()));
    Weights weights = make();
    try {
      method->begin(weights);
    } catch (const InputError& error) {
      const std::string what = error.what();
      EXPECT_NE(what.find("] layer '"), std::string::npos) << what;
      EXPECT_NE(what.find(" expect"), std::string::npos) << what;
      return {};
    }
    Progress at{.total_steps = 24, .total_rounds = 6, .learning_rate = 0.05};
    train(*method, weights, at, 3);
    const auto state = method->state();
    const auto again = make_method(find_method(GetParam()));
    Weights copy = make();
    again->begin(copy);
    copy.value.copy_(weights.value);
    again->load(state);
    Progress other = at;
    train(*method, weights, at, 3);
    train(*again, copy, other, 3);
    EXPECT_EQ(vector_of(copy.value), vector_of(weights.value));
    return method->deployed();
  }
};

TEST_P(EveryMethod, TakesScalesOfGroupsOrRefusesThem) {
  bool taken = false;
  // The groups of 8 are runs of memory; the last one of 5 in a channel of 24 is shorter.
  for (const std::string set : {"ternary/group:8", "binary/group:8", "ternary/group:5"}) {
    SCOPED_TRACE(set);
    const auto make = [&] { return one_layer(random_values(48, 4), set, 2); };
    const std::vector<Quantized> deployed = trained(make);
    if (deployed.empty()) continue;
    taken = true;
    EXPECT_EQ(deployed.at(0).scales.size(), set.ends_with('5') ? 10U : 6U);
    EXPECT_EQ(deployed.at(0).group, set.ends_with('5') ? 5 : 8);
    const std::vector<float> point = decoded(deployed.at(0));
    EXPECT_EQ(decoded(make().layers[0].set->project(point, {1, 2, 24})), point);
  }
  // TTQ learns two numbers for a layer.
  EXPECT_EQ(taken, GetParam() != "ttq");
}

TEST_P(EveryMethod, TakesSharedCodebooksOrRefusesThem) {
  bool taken = false;
  for (const char* set : {"ternary", "binary"}) {
    SCOPED_TRACE(set);
    const auto make = [&] {
      Weights weights = sharing(set, 5);
      weights.layers[1].set = parse_projector(set);
      return weights;
    };
    const std::vector<Quantized> deployed = trained(make);
    if (deployed.empty()) continue;
    taken = true;
    EXPECT_EQ(deployed[0].scales, deployed[2].scales);
    EXPECT_EQ(deployed[0].levels, deployed[2].levels);
  }
  // These make scales by a rule of their own.
  const std::set<std::string> alone = {"bwn", "twn", "ttq", "lsq", "dorefa", "inq"};
  EXPECT_EQ(taken, !alone.contains(GetParam()));
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const MethodInfo& info : methods()) {
    // Its deployed point is that of the reference given to `begin`, so it has no state to go on
    // from; direct compression has tests of its own.
    if (info.trains) result.emplace_back(info.name);
  }
  return result;
}

INSTANTIATE_TEST_SUITE_P(Method,
                         EveryMethod,
                         testing::ValuesIn(names()),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace lastbit
