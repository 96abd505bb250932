#include "lastbit/state/names.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/state/fill.h"
#include "lastbit/zoo/zoo.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

// What torch's layers call their tensors.
void add_norm(std::vector<std::string>& names, const std::string& layer) {
  for (const char* part :
       {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}) {
    names.push_back(cat(layer, ".", part));
  }
}

std::vector<StateTensor> state_of(const std::vector<std::string>& names) {
  std::vector<StateTensor> state;
  state.reserve(names.size());
  for (const std::string& name : names) {
    state.push_back({.name = name, .type = DType::kFloat, .shape = {}, .read = {}});
  }
  return state;
}

// Every name is known, and every constant of the network is named.
void expect_whole(std::string_view network,
                  const ZooOptions& options,
                  const std::vector<std::string>& names) {
  const Graph graph = make_network(network, options);
  StateNames result = name_state(graph, state_of(names), {});
  std::erase(result.names, "");
  EXPECT_THAT(result.names, UnorderedElementsAreArray(weight_constants(graph)));
}

constexpr const char* kFirst = "features.";

ZooOptions cifar(std::string shortcut = "convolution") {
  return {.input = {3, 32, 32}, .center = "none", .shortcut = std::move(shortcut)};
}

std::vector<std::string> residual_names(const std::vector<int>& blocks,
                                        const std::string& shortcut,
                                        const std::string& last) {
  std::vector<std::string> names = {"conv1.weight"};
  add_norm(names, "bn1");
  for (std::size_t stage = 0; stage < blocks.size(); ++stage) {
    for (int block = 0; block < blocks[stage]; ++block) {
      const std::string layer = cat("layer", stage + 1, ".", block, ".");
      for (const int i : {1, 2}) {
        names.push_back(cat(layer, "conv", i, ".weight"));
        add_norm(names, cat(layer, "bn", i));
      }
      if (stage == 0 || block > 0 || shortcut.empty()) continue;
      names.push_back(cat(layer, shortcut, ".0.weight"));
      add_norm(names, cat(layer, shortcut, ".1"));
    }
  }
  names.push_back(last + ".weight");
  names.push_back(last + ".bias");
  return names;
}

TEST(Names, KnowsResidualNetworks) {
  expect_whole("resnet18", cifar(), residual_names({2, 2, 2, 2}, "downsample", "fc"));
  expect_whole("resnet18", cifar(), residual_names({2, 2, 2, 2}, "shortcut", "linear"));
  expect_whole("resnet20", cifar(), residual_names({3, 3, 3}, "downsample", "fc"));
  expect_whole("resnet20", cifar("pad"), residual_names({3, 3, 3}, "", "linear"));
  expect_whole("resnet56", cifar("pad"), residual_names({9, 9, 9}, "", "linear"));
}

TEST(Names, KnowsMobileNet) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& layer, const std::string& norm) {
    names.push_back(cat(kFirst, layer, ".weight"));
    add_norm(names, cat(kFirst, norm));
  };
  add("0.0", "0.1");
  add("1.conv.0.0", "1.conv.0.1");
  add("1.conv.1", "1.conv.2");
  for (int block = 2; block < 18; ++block) {
    add(cat(block, ".conv.0.0"), cat(block, ".conv.0.1"));
    add(cat(block, ".conv.1.0"), cat(block, ".conv.1.1"));
    add(cat(block, ".conv.2"), cat(block, ".conv.3"));
  }
  add("18.0", "18.1");
  names.push_back("classifier.1.weight");
  names.push_back("classifier.1.bias");
  expect_whole("mobilenetv2", cifar(), names);
}

// The places of VGG-16's layers in torchvision's list: a pool takes one, a convolution and its
// activation two, batch norm one more.
TEST(Names, KnowsVgg) {
  for (const bool norm : {true, false}) {
    std::vector<std::string> names;
    int place = 0;
    for (const int layers : {2, 2, 3, 3, 3}) {
      for (int i = 0; i < layers; ++i) {
        names.push_back(cat(kFirst, place, ".weight"));
        names.push_back(cat(kFirst, place, ".bias"));
        if (norm) add_norm(names, cat(kFirst, place + 1));
        place += norm ? 3 : 2;
      }
      ++place;
    }
    names.push_back("classifier.weight");
    names.push_back("classifier.bias");
    const Graph graph = make_network("vgg16", cifar());
    const StateNames result = name_state(graph, state_of(names), {});
    EXPECT_EQ(result.family,
              norm ? "torchvision, with batch norm" : "torchvision, without batch norm");
    int layer = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!names[i].starts_with(kFirst)) continue;
      if (result.names[i].ends_with(".weight") && result.names[i].starts_with("conv")) ++layer;
      if (!result.names[i].starts_with("bn") && !result.names[i].empty()) {
        EXPECT_THAT(result.names[i], HasSubstr(cat("conv", layer, "."))) << names[i];
      }
    }
    EXPECT_EQ(layer, 13);
  }
}

TEST(Names, KnowsGoogleNet) {
  const auto family = std::ranges::find(name_families(), "googlenet", &NameFamily::networks);
  ASSERT_NE(family, name_families().end());
  for (const auto& [name, expected] : std::vector<std::pair<std::string, std::string>>{
           {"conv3.conv.weight", "conv3.weight"},
           {"conv3.bn.running_var", "conv3_bn.variance"},
           {"inception3a.branch1.conv.weight", "inception3a.branch1.weight"},
           {"inception3a.branch1.bn.bias", "inception3a.branch1_bn.bias"},
           {"inception4e.branch2.0.conv.weight", "inception4e.branch2.reduce.weight"},
           {"inception4e.branch3.0.bn.weight", "inception4e.branch3.reduce_bn.weight"},
           {"inception4e.branch3.1.conv.weight", "inception4e.branch3.conv.weight"},
           {"inception5b.branch4.1.conv.weight", "inception5b.branch4.conv.weight"},
           {"inception5b.branch4.1.bn.running_mean", "inception5b.branch4.conv_bn.mean"},
           {"aux1.fc2.weight", ""},
           {"fc.bias", "fc.bias"}}) {
    EXPECT_EQ(zoo_name(family->rules, {}, name), expected);
  }
}

TEST(Names, KnowsWholeGoogleNet) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& block) {
    names.push_back(block + ".conv.weight");
    add_norm(names, block + ".bn");
  };
  for (const char* layer : {"conv1", "conv2", "conv3"}) add(layer);
  for (const char* block : {"3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"}) {
    for (const char* branch :
         {"branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1"})
      add(cat("inception", block, ".", branch));
  }
  add("aux1.conv");
  names.insert(names.end(), {"aux2.fc1.weight", "fc.weight", "fc.bias"});
  expect_whole("googlenet", cifar(), names);
}

TEST(Names, KnowsBottlenecks) {
  std::vector<std::string> names = {"conv1.weight", "fc.weight", "fc.bias"};
  add_norm(names, "bn1");
  const std::vector<int> blocks = {3, 4, 6, 3};
  for (std::size_t stage = 0; stage < 4; ++stage) {
    for (int block = 0; block < blocks[stage]; ++block) {
      const std::string layer = cat("layer", stage + 1, ".", block, ".");
      for (const int i : {1, 2, 3}) {
        names.push_back(cat(layer, "conv", i, ".weight"));
        add_norm(names, cat(layer, "bn", i));
      }
      if (block > 0) continue;
      names.push_back(cat(layer, "downsample.0.weight"));
      add_norm(names, cat(layer, "downsample.1"));
    }
  }
  expect_whole("resnet50", cifar(), names);
}

TEST(Names, KnowsTheZoosOwn) {
  const Graph graph = make_network("lenet5", {});
  const std::vector<std::string> own = weight_constants(graph);
  EXPECT_EQ(name_state(graph, state_of(own), {}).names, own);
  EXPECT_EQ(name_state(graph, state_of(own), {}).family, "");
}

TEST(Names, RewritesWhatWildcardsMatch) {
  EXPECT_EQ(rewrite("layer#.#.conv#", "stage#.block#+1.conv#", "layer3.09.conv2"),
            "stage3.block10.conv2");
  EXPECT_EQ(rewrite("a*.b*", "*-*", "ax.by.bz"), "x-y.bz");
  EXPECT_EQ(rewrite("*", "net.*", ""), "net.");
  EXPECT_EQ(rewrite("a#", "a", "ab"), std::nullopt);
  EXPECT_EQ(rewrite("a", "a", "ab"), std::nullopt);
  EXPECT_EQ(rewrite("#", "#+1", "99999999999999999999"), std::nullopt);
}

TEST(Names, TakesMapsBeforeRules) {
  const std::vector<NameMap> maps = {parse_name_map("backbone.*=*"), parse_name_map("head.*=fc.*")};
  const Graph graph = make_network("resnet20", cifar());
  const StateNames names = name_state(
      graph, state_of({"backbone.layer1.0.conv1.weight", "head.bias", "bn1.running_var"}), maps);
  EXPECT_THAT(names.names,
              ::testing::ElementsAre("stage1.block1.conv1.weight", "fc.bias", "bn1.variance"));
}

TEST(Names, RefusesMapsThatAreNone) {
  const auto refusal = [](const std::string& text) {
    return error_of<InputError>([&] { parse_name_map(text); });
  };
  EXPECT_THAT(refusal("a"), HasSubstr("'a' is no map of names, expected FROM=TO"));
  EXPECT_THAT(refusal("=b"), HasSubstr("is no map"));
  EXPECT_THAT(refusal("a="), HasSubstr("is no map"));
  EXPECT_THAT(refusal("a=b=c"), HasSubstr("is no map"));
  EXPECT_THAT(refusal("*=**"), HasSubstr("more '*' in TO than in FROM"));
  EXPECT_THAT(refusal("a=#"), HasSubstr("more '#' in TO than in FROM"));
  EXPECT_THAT(refusal("***=a"), HasSubstr("more than 2 '*'"));
}

}  // namespace
}  // namespace lastbit
