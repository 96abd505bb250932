#include <cmath>
#include <cstdint>
#include <string_view>

#include <gtest/gtest.h>

#include "lastbit/graph/parameters.h"
#include "lastbit/graph/products.h"
#include "lastbit/zoo/zoo.h"

// Parameters and multiplications of the networks, against the figures published for them.

namespace lastbit {
namespace {

struct Size {
  std::int64_t parameters = 0;
  double products = 0.0;  // for one sample
};

Size size_of(std::string_view network, const ZooOptions& options) {
  const Graph graph = make_network(network, options);
  Size size;
  for (const Parameter& parameter : trainable_parameters(graph)) {
    size.parameters += element_count(parameter.shape);
  }
  size.products = product_count(graph, infer_shapes(graph, 1));
  return size;
}

Size at_imagenet(std::string_view network) {
  return size_of(network, {.input = {3, 224, 224}, .classes = 1000, .center = "none"});
}

Size at_cifar(std::string_view network) {
  return size_of(network, {.input = {3, 32, 32}, .center = "none"});
}

// `published` is rounded to two digits after the point, in units of 10^9.
void expect_billions(double products, double published) {
  EXPECT_NEAR(products * 1e-9, published, 0.005) << products;
}

TEST(ZooSizes, AreThoseOfTorchvisionAtImageNet) {
  struct Row {
    const char* network;
    std::int64_t parameters;
    double billions;  // its column "GFLOPS", which counts multiplications with their additions
    double products;
  };
  for (const Row& row : {Row{"googlenet", 6624904, 1.50, 1498376192},
                         Row{"mobilenetv2", 3504872, 0.30, 300774272},
                         Row{"resnet18", 11689512, 1.81, 1814073344},
                         Row{"resnet34", 21797672, 3.66, 3663761408},
                         Row{"resnet50", 25557032, 4.09, 4089184256}}) {
    SCOPED_TRACE(row.network);
    const Size size = at_imagenet(row.network);
    EXPECT_EQ(size.parameters, row.parameters);
    EXPECT_EQ(size.products, row.products);
    expect_billions(size.products, row.billions);
  }
}

TEST(ZooSizes, OfVgg16LackTheBiasesThatBatchNormMakesSuperfluous) {
  // The channels of the 13 convolutions.
  constexpr std::int64_t kBiases = 2 * 64 + 2 * 128 + 3 * 256 + 6 * 512;
  const Size large = at_imagenet("vgg16");
  EXPECT_EQ(large.parameters, 138365992 - kBiases);
  EXPECT_EQ(large.products, 15470264320);
  expect_billions(large.products, 15.47);
  const Size small = at_cifar("vgg16");
  EXPECT_EQ(small.parameters, 14728266 - kBiases);
  EXPECT_EQ(small.products, 313201664);
}

// The published network is split in two groups at layers 2, 4 and 5: 60,965,224 parameters and 724
// M multiplications (Sze et al. 2017, table II). Undivided, the weights and products of these
// layers double.
TEST(ZooSizes, OfAlexNetAreThePublishedOnesWithoutGroups) {
  constexpr std::int64_t kWeights2 = 256 * 48 * 25;
  constexpr std::int64_t kWeights4 = 384 * 192 * 9;
  constexpr std::int64_t kWeights5 = 256 * 192 * 9;
  constexpr std::int64_t kUndivided = 60965224 + kWeights2 + kWeights4 + kWeights5;
  EXPECT_EQ(kUndivided, 62378344);
  // Batch norm has two parameters where a bias was one, in all layers but the last.
  constexpr std::int64_t kChannels = 96 + 256 + 384 + 384 + 256 + 4096 + 4096;
  const Size size = at_imagenet("alexnet");
  EXPECT_EQ(size.parameters, kUndivided + kChannels);
  constexpr std::int64_t kAdded = kWeights2 * 27 * 27 + (kWeights4 + kWeights5) * 13 * 13;
  EXPECT_NEAR((size.products - kAdded) * 1e-6, 724, 0.5);
  EXPECT_EQ(size.products, 1135256096);
  // "250 MBytes of model parameters" (Leng et al. 2018, introduction).
  EXPECT_NEAR(4e-6 * static_cast<double>(size.parameters), 250, 0.5);
}

TEST(ZooSizes, OfCifarsResidualNetworksAreThePublishedOnesAndTheShortcuts) {
  // Table 6 of the paper has 0.27, 0.46, 0.66 and 0.85 million parameters, with shortcuts without
  // parameters; those of 1 x 1 convolutions with batch norm have these more.
  constexpr std::int64_t kShortcuts = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64;
  constexpr std::int64_t kShortcutProducts = 16 * 32 * 16 * 16 + 32 * 64 * 8 * 8;
  struct Row {
    const char* network;
    std::int64_t parameters;
    double millions;  // of multiplications, as usual in papers on pruning
  };
  for (const Row& row : {Row{"resnet20", 269722, 40.55},
                         Row{"resnet32", 464154, 68.86},
                         Row{"resnet44", 658586, 97.17},
                         Row{"resnet56", 853018, 125.49}}) {
    SCOPED_TRACE(row.network);
    const Size size = at_cifar(row.network);
    EXPECT_EQ(size.parameters, row.parameters + kShortcuts);
    EXPECT_NEAR((size.products - kShortcutProducts) * 1e-6, row.millions, 0.005);
  }
  EXPECT_EQ(at_cifar("resnet20").products, 40551040 + kShortcutProducts);
}

// The stem of 3 x 3 has 64 * (3 * 49 - 3 * 9) weights less than that of 7 x 7, the last layer 990
// rows less.
TEST(ZooSizes, OfCifarsFormsDifferInTheirEnds) {
  constexpr std::int64_t kStem = 64 * 3 * (49 - 9);
  EXPECT_EQ(at_cifar("resnet18").parameters, 11689512 - kStem - 990 * 513);
  EXPECT_EQ(at_cifar("resnet34").parameters, 21797672 - kStem - 990 * 513);
  EXPECT_EQ(at_cifar("resnet50").parameters, 25557032 - kStem - 990 * 2049);
  EXPECT_EQ(at_cifar("googlenet").parameters, 6624904 - kStem - 990 * 1025);
  EXPECT_EQ(at_cifar("mobilenetv2").parameters, 3504872 - 990 * 1281);
  EXPECT_EQ(at_cifar("resnet18").parameters, 11173962);
  expect_billions(at_cifar("resnet18").products, 0.56);
  expect_billions(at_cifar("resnet34").products, 1.16);
  expect_billions(at_cifar("resnet50").products, 1.30);
}

}  // namespace
}  // namespace lastbit
