#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/runtime/kernels/kernel_set.h"

// The products of every set of kernels that this processor can run against the scalar definition.

namespace lastbit {
namespace {

class EveryProduct : public testing::TestWithParam<const KernelSet*> {};

struct WordDelete {
  void operator()(std::uint8_t* bytes) const {
    ::operator delete[](bytes, std::align_val_t{kWordBytes});
  }
};

// Blocks of random codes, or of one code alone.
struct Weights {
  Weights(int bits, int width, std::size_t groups, std::size_t blocks, Random& random)
      : bytes(blocks * block_bytes(groups, bits, width)),
        words(static_cast<std::uint8_t*>(::operator new[](bytes, std::align_val_t{kWordBytes}))) {
    for (std::size_t i = 0; i < bytes; ++i) words[i] = static_cast<std::uint8_t>(random.below(256));
    const std::size_t codes = std::size_t{1} << static_cast<unsigned>(bits);
    std::vector<int> some;
    for (std::size_t i = 0; i < codes; ++i)
      some.push_back(static_cast<int>(random.below(256)) - 128);
    set_levels(bits, some);
    for (std::size_t i = 0; i < 256; ++i) {
      table.push_back(i < codes ? static_cast<float>(random.uniform(-1, 1)) : table[i % codes]);
    }
    for (std::size_t i = 0; i < blocks * groups * kGroupInputs * kBlockOutputs; ++i) {
      floats.push_back(static_cast<float>(random.uniform(-1, 1)));
    }
    block.words = words.get();
    block.bits = bits;
    block.width = width;
    block.table = table.data();
  }

  // Levels of the first codes, which are repeated.
  void set_levels(int bits, const std::vector<int>& some) {
    levels.clear();
    for (std::size_t i = 0; i < 16; ++i) {
      levels.push_back(static_cast<std::int8_t>(some[i % some.size()]));
    }
    block.levels = bits == 8 ? nullptr : levels.data();
    block.largest = 128;
    if (bits == 8) return;
    block.largest = 0;
    for (const int level : levels) block.largest = std::max(block.largest, std::abs(level));
  }

  void fill(int byte) { std::fill_n(words.get(), bytes, static_cast<std::uint8_t>(byte)); }

  // The same with floats for words.
  WeightBlock as_floats() const {
    WeightBlock result = block;
    result.words = nullptr;
    result.floats = floats.data();
    return result;
  }

  std::size_t outputs() const { return static_cast<std::size_t>(block.width) * kWordOutputs; }

  std::size_t bytes;
  std::unique_ptr<std::uint8_t[], WordDelete> words;
  std::vector<std::int8_t> levels;
  std::vector<float> table;
  std::vector<float> floats;
  WeightBlock block;
};

template <typename Input>
Input any_input(Random& random) {
  if constexpr (std::is_same_v<Input, float>) {
    return static_cast<float>(random.uniform(-1, 1));
  } else {
    return static_cast<Input>(random.below(256));
  }
}

// Rows that begin anywhere, with groups anywhere in them. The values end where they are last read.
template <typename Input>
struct Inputs {
  Inputs(std::size_t count, std::size_t groups, Random& random) {
    constexpr std::size_t kSpread = 40;
    std::size_t end = 0;
    std::vector<std::size_t> starts;
    for (std::size_t r = 0; r < count; ++r) starts.push_back(random.below(kSpread));
    for (std::size_t g = 0; g < groups; ++g) {
      offsets.push_back(static_cast<std::int32_t>(random.below(groups * kGroupInputs)));
      for (const std::size_t start : starts) {
        end = std::max(end, start + static_cast<std::size_t>(offsets.back()) + kGroupInputs);
      }
    }
    values = std::make_unique<Input[]>(end);
    size = end;
    for (std::size_t i = 0; i < end; ++i) values[i] = any_input<Input>(random);
    for (const std::size_t start : starts) rows.push_back(values.get() + start);
    tile = {rows.data(), count, offsets.data(), groups};
  }

  void fill(Input value) { std::fill_n(values.get(), size, value); }

  std::unique_ptr<Input[]> values;
  std::size_t size = 0;
  std::vector<const Input*> rows;
  std::vector<std::int32_t> offsets;
  Tile<Input> tile{};
};

// Results with one value more, that must stay as it is.
template <typename Output, typename Kernel>
std::vector<Output> results(std::size_t count, const Kernel& kernel) {
  std::vector<Output> out(count + 1, Output{77});
  kernel(out.data());
  EXPECT_EQ(out.back(), Output{77});
  out.pop_back();
  return out;
}

std::vector<std::int32_t> int8_tile(const KernelSet& set,
                                    const Inputs<std::uint8_t>& inputs,
                                    const Weights& weights) {
  return results<std::int32_t>(inputs.rows.size() * weights.outputs(), [&](std::int32_t* out) {
    set.tile_int8(inputs.tile, weights.block, out);
  });
}

void expect_equal_tiles(const KernelSet& set,
                        const Inputs<std::uint8_t>& inputs,
                        const Weights& weights,
                        const std::string& what) {
  ASSERT_EQ(int8_tile(set, inputs, weights), int8_tile(scalar_kernels(), inputs, weights)) << what;
}

std::string described(int bits, int width, std::size_t groups, std::size_t rows) {
  return std::to_string(bits) + " bits, width " + std::to_string(width) + ", " +
         std::to_string(groups) + " groups, " + std::to_string(rows) + " rows";
}

TEST_P(EveryProduct, TilesOfIntegersAreExactForAllSizes) {
  Random random(1);
  for (const int bits : {1, 2, 4, 8}) {
    for (const int width : {1, 2}) {
      for (std::size_t groups = 1; groups <= 70; ++groups) {
        for (std::size_t rows = 1; rows <= kTileRows; ++rows) {
          if (groups > 20 && (groups + rows) % 5 != 0) continue;
          const Inputs<std::uint8_t> inputs(rows, groups, random);
          const Weights weights(bits, width, groups, 1, random);
          expect_equal_tiles(*GetParam(), inputs, weights, described(bits, width, groups, rows));
        }
      }
    }
  }
}

TEST_P(EveryProduct, TilesOfIntegersAreExactForLargeDepths) {
  Random random(2);
  for (const std::size_t groups : {144, 500, 1152}) {
    for (const int bits : {1, 2, 4, 8}) {
      const Inputs<std::uint8_t> inputs(kTileRows, groups, random);
      const Weights weights(bits, 2, groups, 1, random);
      expect_equal_tiles(*GetParam(), inputs, weights, described(bits, 2, groups, kTileRows));
    }
  }
}

// Sums that come near to what 16 bits hold, with levels of every size.
TEST_P(EveryProduct, TilesOfIntegersAreExactForExtremes) {
  Random random(3);
  constexpr std::size_t kGroups = 4608 / kGroupInputs;
  for (const int bits : {1, 2, 4, 8}) {
    for (const int size : {1, 2, 5, 16, 64, 65, 128}) {
      Inputs<std::uint8_t> inputs(1, kGroups, random);
      Weights weights(bits, 2, kGroups, 1, random);
      weights.set_levels(bits, {-size, std::min(size, 127)});
      for (const int input : {0, 255}) {
        inputs.fill(static_cast<std::uint8_t>(input));
        for (const int byte : {0x00, 0x80, 0x7F, 0xFF}) {
          weights.fill(byte);
          expect_equal_tiles(*GetParam(),
                             inputs,
                             weights,
                             described(bits, 2, kGroups, 1) + ", " + std::to_string(size));
        }
      }
    }
  }
}

std::vector<std::int32_t> int8_vector(const KernelSet& set,
                                      const std::vector<std::int8_t>& x,
                                      const Weights& weights,
                                      std::size_t blocks,
                                      const std::uint8_t* values) {
  return results<std::int32_t>(blocks * weights.outputs(), [&](std::int32_t* out) {
    set.vector_int8(x.data(), x.size() / kGroupInputs, weights.block, blocks, values, out);
  });
}

void expect_equal_vectors(const KernelSet& set,
                          const std::vector<std::int8_t>& x,
                          const Weights& weights,
                          std::size_t blocks,
                          const std::vector<std::uint8_t>& values,
                          const std::string& what) {
  for (const std::uint8_t* given : {static_cast<const std::uint8_t*>(nullptr), values.data()}) {
    ASSERT_EQ(int8_vector(set, x, weights, blocks, given),
              int8_vector(scalar_kernels(), x, weights, blocks, given))
        << what << (given == nullptr ? "" : ", values");
  }
}

// Values of the first codes, which are repeated.
std::vector<std::uint8_t> repeated(const std::vector<std::uint8_t>& some) {
  std::vector<std::uint8_t> values;
  for (std::size_t i = 0; i < 16; ++i) values.push_back(some[i % some.size()]);
  return values;
}

TEST_P(EveryProduct, VectorsOfIntegersAreExactForAllSizes) {
  Random random(4);
  for (const int bits : {1, 2, 4}) {
    for (const int width : {1, 2}) {
      for (std::size_t groups = 1; groups <= 70; ++groups) {
        for (const std::size_t blocks : {1, 2, 3, 5, 9}) {
          if (groups > 20 && (groups + blocks) % 3 != 0) continue;
          const Weights weights(bits, width, groups, blocks, random);
          std::vector<std::int8_t> x(groups * kGroupInputs);
          for (std::int8_t& v : x) v = any_input<std::int8_t>(random);
          std::vector<std::uint8_t> values(std::size_t{1} << static_cast<unsigned>(bits));
          for (std::uint8_t& v : values) v = any_input<std::uint8_t>(random);
          expect_equal_vectors(*GetParam(),
                               x,
                               weights,
                               blocks,
                               repeated(values),
                               described(bits, width, groups, blocks));
        }
      }
    }
  }
}

// The longest is longer than what sums of codes left where they stand can take.
TEST_P(EveryProduct, VectorsOfIntegersAreExactForExtremes) {
  Random random(5);
  for (const std::size_t groups : {1152, 200'003}) {
    for (const int bits : {1, 2, 4}) {
      Weights weights(bits, 1, groups, 1, random);
      std::vector<std::int8_t> x(groups * kGroupInputs);
      const auto largest = static_cast<std::uint8_t>(groups < 2000 ? 255 : 15);
      for (const int input : {-128, 127}) {
        std::fill(x.begin(), x.end(), static_cast<std::int8_t>(input));
        for (const int byte : {0x55, 0xFF}) {
          if (groups > 2000 && byte != 0xFF) continue;
          weights.fill(byte);
          expect_equal_vectors(*GetParam(),
                               x,
                               weights,
                               1,
                               repeated({0, largest}),
                               described(bits, 1, groups, 1) + ", " + std::to_string(input));
        }
      }
    }
  }
}

// Two sums of `depth` products of at most 1, in any order, each off by depth^2 * 2^-24 at most.
double tolerance(std::size_t depth) {
  return 2.0 * static_cast<double>(depth) * static_cast<double>(depth + 1) * 0x1p-24;
}

void expect_near(const std::vector<float>& got,
                 const std::vector<float>& expected,
                 double allowed,
                 const std::string& what) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], allowed) << what << ", at " << i;
  }
}

std::vector<float> float_tile(const KernelSet& set,
                              const Tile<float>& tile,
                              const WeightBlock& block) {
  return results<float>(tile.count * static_cast<std::size_t>(block.width) * kWordOutputs,
                        [&](float* out) { set.tile_float(tile, block, out); });
}

TEST_P(EveryProduct, TilesOfFloatsAgreeForAllSizesAndRowByRow) {
  Random random(6);
  for (const int bits : {0, 1, 2, 4, 8}) {  // 0: floats
    for (const int width : {1, 2}) {
      for (std::size_t groups = 1; groups <= 20; ++groups) {
        for (std::size_t rows = 1; rows <= kTileRows; ++rows) {
          const Inputs<float> inputs(rows, groups, random);
          const Weights weights(bits == 0 ? 8 : bits, width, groups, 1, random);
          const WeightBlock block = bits == 0 ? weights.as_floats() : weights.block;
          const auto got = float_tile(*GetParam(), inputs.tile, block);
          const std::string what = described(bits, width, groups, rows);
          expect_near(got,
                      float_tile(scalar_kernels(), inputs.tile, block),
                      tolerance(groups * kGroupInputs),
                      what);
          std::vector<float> alone;
          for (std::size_t r = 0; r < rows; ++r) {
            Tile<float> row = inputs.tile;
            row.rows += r;
            row.count = 1;
            const auto one = float_tile(*GetParam(), row, block);
            alone.insert(alone.end(), one.begin(), one.end());
          }
          EXPECT_EQ(got, alone) << what;
        }
      }
    }
  }
}

std::vector<float> float_vector(const KernelSet& set,
                                const std::vector<float>& x,
                                const WeightBlock& block,
                                std::size_t blocks) {
  return results<float>(
      blocks * static_cast<std::size_t>(block.width) * kWordOutputs,
      [&](float* out) { set.vector_float(x.data(), x.size() / kGroupInputs, block, blocks, out); });
}

TEST_P(EveryProduct, VectorsOfFloatsAgreeForAllSizesAndBlockByBlock) {
  Random random(7);
  for (const int bits : {0, 1, 2, 4, 8}) {
    for (const int width : {1, 2}) {
      for (const std::size_t groups : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 70, 300, 1100}) {
        for (const std::size_t blocks : {1, 2, 3, 5, 9, 20}) {
          if (groups > 70 && blocks != 3) continue;
          const Weights weights(bits == 0 ? 8 : bits, width, groups, blocks, random);
          const WeightBlock block = bits == 0 ? weights.as_floats() : weights.block;
          std::vector<float> x(groups * kGroupInputs);
          for (float& v : x) v = any_input<float>(random);
          const auto got = float_vector(*GetParam(), x, block, blocks);
          const std::string what = described(bits, width, groups, blocks);
          expect_near(got,
                      float_vector(scalar_kernels(), x, block, blocks),
                      tolerance(groups * kGroupInputs),
                      what);
          std::vector<float> alone;
          for (std::size_t b = 0; b < blocks; ++b) {
            WeightBlock one = block;
            if (bits == 0) {
              one.floats += b * groups * kGroupInputs * weights.outputs();
            } else {
              one.words += b * block_bytes(groups, bits, width);
            }
            const auto some = float_vector(*GetParam(), x, one, 1);
            alone.insert(alone.end(), some.begin(), some.end());
          }
          EXPECT_EQ(got, alone) << what;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Products,
                         EveryProduct,
                         testing::ValuesIn(runnable_kernels()),
                         [](const auto& test) { return std::string(test.param->name); });

}  // namespace
}  // namespace lastbit
