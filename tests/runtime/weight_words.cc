#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/quant/digits.h"
#include "lastbit/runtime/conv_shape.h"
#include "lastbit/runtime/product_weights.h"

// The words that kernels read against a plain putting of one code after the other.

namespace lastbit {
namespace {

constexpr int kSizes[] = {2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 100, 255, 256};

struct Weights {
  LowBitTensor tensor;
  std::vector<Code> codes;
};

std::size_t between(Random& random, std::size_t least, std::size_t most) {
  return least + static_cast<std::size_t>(random.below(most - least + 1));
}

// Scales along axis `scaled`; one for all where that is -1.
Weights random_weights(const Shape& shape, int levels, int scaled, Random& random) {
  std::vector<float> values;
  for (int i = 0; i < levels; ++i) values.push_back(static_cast<float>(2 * i - levels + 1) / 16.0F);
  std::vector<Code> codes(static_cast<std::size_t>(element_count(shape)));
  for (Code& code : codes) code = static_cast<Code>(random.below(static_cast<unsigned>(levels)));
  Shape scale_shape{1};
  if (scaled >= 0) {
    const auto axis = static_cast<std::size_t>(scaled);
    scale_shape.assign(shape.size(), 1);
    scale_shape[axis] = shape[axis];
  }
  std::vector<float> scales(static_cast<std::size_t>(element_count(scale_shape)));
  for (float& scale : scales) scale = static_cast<float>(random.uniform());
  return {.tensor = {.shape = shape,
                     .codebook = Codebook(values),
                     .scale_shape = scale_shape,
                     .scales = scales,
                     .packed = pack(codes, levels),
                     .set = {}},
          .codes = codes};
}

struct Expected {
  std::vector<std::uint8_t> words;
  std::vector<std::int32_t> sums;
};

std::size_t width_of(const ProductWeights& product, std::size_t block) {
  return product.outputs_of(block) > kWordOutputs ? 2 : 1;
}

// One block after the other, as kernels/product.h says.
Expected put_one_by_one(const ProductWeights& product,
                        const Weights& weights,
                        const WeightOrder& order,
                        bool for_integers) {
  const auto bits = static_cast<std::size_t>(product.bits());
  const std::size_t fields = 8 / bits;
  const auto levels = weights.tensor.codebook.levels();
  // A level of 0 that the codebook lacks comes after all others.
  const auto zero =
      static_cast<std::size_t>(std::find(levels.begin(), levels.end(), 0.0F) - levels.begin());
  const std::size_t gap = zero == levels.size() && !order.zero_gaps ? 0 : zero;
  Expected expected;
  std::vector<std::size_t> begins;
  for (std::size_t b = 0; b < product.blocks(); ++b) {
    begins.push_back(expected.words.size());
    expected.words.resize(
        expected.words.size() +
        block_bytes(product.groups(), product.bits(), static_cast<int>(width_of(product, b))));
  }
  for (std::size_t o = 0; o < order.outputs; ++o) {
    const std::size_t block = o / kBlockOutputs;
    expected.sums.push_back(0);
    for (std::size_t k = 0; k < order.inputs.size(); ++k) {
      const std::int64_t at = order.inputs[k];
      const std::size_t code =
          at < 0
              ? gap
              : weights.codes[order.first + o * order.output_step + static_cast<std::size_t>(at)];
      const int level = product.levels()[code];
      expected.sums.back() += level;
      const std::size_t group = k / kGroupInputs;
      const std::size_t word =
          group / fields * width_of(product, block) + o % kBlockOutputs / kWordOutputs;
      const std::size_t field = bits == 8 && for_integers ? static_cast<std::uint8_t>(level) : code;
      std::uint8_t& byte = expected.words[begins[block] + word * kWordBytes +
                                          o % kWordOutputs * kGroupInputs + k % kGroupInputs];
      byte = static_cast<std::uint8_t>(byte | field << (group % fields * bits));
    }
  }
  return expected;
}

void expect_words(const Weights& weights, const WeightOrder& order, bool for_integers) {
  const ProductWeights product(weights.tensor, order, for_integers);
  if (product.bits() == 0) {
    EXPECT_EQ(weights.tensor.codebook.size(), 256) << "no code is left for a gap";
    return;
  }
  const bool integers = for_integers && product.integers();
  const Expected expected = put_one_by_one(product, weights, order, integers);
  std::vector<std::uint8_t> words;
  for (std::size_t b = 0; b < product.blocks(); ++b) {
    const WeightBlock block = product.block(b);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.words) % kWordBytes, 0U);
    words.insert(words.end(),
                 block.words,
                 block.words + block_bytes(product.groups(), block.bits, block.width));
  }
  EXPECT_TRUE(words == expected.words);
  for (std::size_t o = 0; o < order.outputs; ++o) {
    const std::vector<float>& scales = weights.tensor.scales;
    const std::size_t at = scales.size() == 1 ? 0 : order.first / order.output_step + o;
    EXPECT_EQ(product.scale(o), scales[at]);
    if (integers) {
      EXPECT_EQ(product.level_sum(o), expected.sums[o]);
    }
  }
}

class WeightWords : public testing::TestWithParam<int> {};

TEST_P(WeightWords, OfConvolutionsAreThoseOfCodesPutOneByOne) {
  Random random(static_cast<std::uint64_t>(GetParam()));
  constexpr std::size_t kChannels[] = {1, 2, 3, 4, 5, 8, 12, 16, 24, 32, 33, 64};
  for (int i = 0; i < 40; ++i) {
    const auto groups = static_cast<std::int64_t>(between(random, 1, 3));
    const auto in = static_cast<std::int64_t>(kChannels[random.below(std::size(kChannels))]);
    const auto out = groups * static_cast<std::int64_t>(between(random, 1, 40));
    const auto height = static_cast<std::int64_t>(between(random, 1, 4));
    const auto width = static_cast<std::int64_t>(between(random, 1, 4));
    const auto dilation = static_cast<std::int64_t>(between(random, 1, 2));
    const Shape shape{out, in, height, width};
    SCOPED_TRACE(to_string(shape) + ", groups " + std::to_string(groups));
    const Node node{
        .name = "conv",
        .op = "Conv",
        .domain = {},
        .inputs = {"x", "w"},
        .outputs = {"y"},
        .attributes = {{"group", groups}, {"dilations", std::vector<std::int64_t>{1, dilation}}}};
    const ConvShape conv(node, {1, in * groups, 9, 9}, shape);
    const Weights weights = random_weights(shape, GetParam(), i % 2 == 0 ? 0 : -1, random);
    WeightOrder order{.outputs = conv.group_outputs(),
                      .output_step = static_cast<std::size_t>(in * height * width),
                      .inputs = conv.inputs(),
                      .zero_gaps = conv.meets_others()};
    for (std::size_t group = 0; group < conv.groups; ++group) {
      order.first = group * conv.group_outputs() * order.output_step;
      expect_words(weights, order, i % 3 == 0);
    }
  }
}

TEST_P(WeightWords, OfMatricesAreThoseOfCodesPutOneByOne) {
  Random random(static_cast<std::uint64_t>(GetParam()) + 1000);
  for (int i = 0; i < 60; ++i) {
    const std::size_t outputs = i % 20 == 0 ? between(random, 1000, 1100) : between(random, 1, 70);
    const std::size_t depth = between(random, 1, 100);
    const bool transposed = i % 2 == 0;
    SCOPED_TRACE(cat(outputs, " outputs of ", depth, transposed ? ", transposed" : ""));
    Shape shape{static_cast<std::int64_t>(outputs), static_cast<std::int64_t>(depth)};
    if (transposed) std::swap(shape[0], shape[1]);
    const int scaled = i % 3 == 0 ? -1 : transposed ? 1 : 0;
    WeightOrder order{.outputs = outputs, .output_step = transposed ? 1 : depth, .inputs = {}};
    for (std::size_t k = 0; k < (depth + 3) / 4 * 4; ++k) {
      order.inputs.push_back(k < depth ? static_cast<std::int64_t>(transposed ? k * outputs : k)
                                       : -1);
    }
    expect_words(random_weights(shape, GetParam(), scaled, random), order, i % 5 < 3);
  }
}

// Any element may be any input, and outputs may share elements.
TEST_P(WeightWords, OfAnyOrderAreThoseOfCodesPutOneByOne) {
  Random random(static_cast<std::uint64_t>(GetParam()) + 2000);
  for (int i = 0; i < 60; ++i) {
    WeightOrder order{.outputs = between(random, 1, 70),
                      .first = between(random, 0, 20),
                      .output_step = between(random, 1, 20),
                      .inputs = std::vector<std::int64_t>(4 * between(random, 1, 20)),
                      .zero_gaps = i % 2 == 0};
    const std::size_t span = between(random, 1, 60);
    for (std::int64_t& at : order.inputs)
      at = static_cast<std::int64_t>(random.below(span + 1)) - 1;
    const std::size_t size = order.first + (order.outputs - 1) * order.output_step + span;
    SCOPED_TRACE(cat(order.outputs, " outputs, ", order.inputs.size(), " inputs"));
    expect_words(random_weights({static_cast<std::int64_t>(size)}, GetParam(), -1, random),
                 order,
                 i % 3 == 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, WeightWords, testing::ValuesIn(kSizes));

}  // namespace
}  // namespace lastbit
