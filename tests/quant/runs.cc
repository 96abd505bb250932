#include "lastbit/quant/runs.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

Quantized shaped(Granularity per, const ChannelLayout& layout, std::int64_t group) {
  const auto size = static_cast<std::size_t>(layout.size());
  return {Codebook({0.0F, 1.0F}),
          per,
          layout,
          std::vector<float>(scale_count(per, layout, group)),
          std::vector<Code>(size, 1),
          0.0,
          group};
}

// The scale of each weight as quantized.h defines it, one weight after another.
std::vector<std::size_t> scale_indices(const Quantized& quantized) {
  const ChannelLayout& layout = quantized.layout;
  std::vector<std::size_t> result(static_cast<std::size_t>(layout.size()));
  for (std::int64_t channel = 0; channel < layout.channels; ++channel) {
    std::int64_t within = 0;
    for (std::int64_t b = 0; b < layout.before; ++b) {
      for (std::int64_t a = 0; a < layout.after; ++a, ++within) {
        const std::int64_t place = (b * layout.channels + channel) * layout.after + a;
        std::int64_t scale = 0;
        if (quantized.per == Granularity::kChannel) scale = channel;
        if (quantized.per == Granularity::kGroup) {
          const std::int64_t weights = layout.before * layout.after;
          const std::int64_t groups = (weights + quantized.group - 1) / quantized.group;
          scale = channel * groups + within / quantized.group;
        }
        result[static_cast<std::size_t>(place)] = static_cast<std::size_t>(scale);
      }
    }
  }
  return result;
}

void expect_runs(const Quantized& quantized) {
  SCOPED_TRACE(cat(quantized.layout.before,
                   " x ",
                   quantized.layout.channels,
                   " x ",
                   quantized.layout.after,
                   ", groups of ",
                   quantized.group));
  const std::vector<std::size_t> expected = scale_indices(quantized);
  std::size_t next = 0;
  for_each_run(quantized, [&](std::size_t scale, std::size_t begin, std::size_t end) {
    ASSERT_EQ(begin, next) << "runs follow one another";
    ASSERT_LT(begin, end) << "no run is empty";
    ASSERT_LE(end, expected.size());
    ASSERT_LT(scale, quantized.scales.size());
    for (std::size_t i = begin; i < end; ++i) ASSERT_EQ(scale, expected[i]) << "weight " << i;
    next = end;
  });
  EXPECT_EQ(next, expected.size());
}

TEST(Runs, CoverAllWeightsInOrderWithTheirScales) {
  for (std::int64_t before = 1; before <= 4; ++before) {
    for (std::int64_t channels = 1; channels <= 4; ++channels) {
      for (std::int64_t after = 1; after <= 5; ++after) {
        const ChannelLayout layout{before, channels, after};
        for (const Granularity per :
             {Granularity::kNone, Granularity::kTensor, Granularity::kChannel}) {
          expect_runs(shaped(per, layout, 0));
        }
        for (std::int64_t group = 1; group <= before * after + 1; ++group) {
          expect_runs(shaped(Granularity::kGroup, layout, group));
        }
      }
    }
  }
}

TEST(Runs, AgreeWithDecoding) {
  Random random(1);
  for (int trial = 0; trial < 200; ++trial) {
    const ChannelLayout layout{1 + static_cast<std::int64_t>(random.below(5)),
                               1 + static_cast<std::int64_t>(random.below(6)),
                               1 + static_cast<std::int64_t>(random.below(40))};
    const auto group = 1 + static_cast<std::int64_t>(random.below(50));
    for (const Granularity per :
         {Granularity::kTensor, Granularity::kChannel, Granularity::kGroup}) {
      Quantized quantized = shaped(per, layout, per == Granularity::kGroup ? group : 0);
      for (std::size_t i = 0; i < quantized.scales.size(); ++i) {
        quantized.scales[i] = static_cast<float>(i + 1);
      }
      std::vector<float> weights(quantized.codes.size());
      decode(quantized, weights);
      for_each_run(quantized, [&](std::size_t scale, std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          ASSERT_EQ(weights[i], static_cast<float>(scale + 1)) << "weight " << i;
        }
      });
    }
  }
}

TEST(Runs, AreAsLongAsMemoryAllows) {
  const auto lengths = [](const Quantized& quantized) {
    std::vector<std::size_t> result;
    for_each_run(quantized, [&](std::size_t /*scale*/, std::size_t begin, std::size_t end) {
      result.push_back(end - begin);
    });
    return result;
  };
  using Lengths = std::vector<std::size_t>;
  EXPECT_EQ(lengths(shaped(Granularity::kTensor, {3, 4, 5}, 0)), Lengths{60});
  EXPECT_EQ(lengths(shaped(Granularity::kNone, {3, 4, 5}, 0)), Lengths{60});
  EXPECT_EQ(lengths(shaped(Granularity::kChannel, {1, 3, 5}, 0)), (Lengths{5, 5, 5}));
  EXPECT_EQ(lengths(shaped(Granularity::kGroup, {1, 2, 7}, 3)), (Lengths{3, 3, 1, 3, 3, 1}));
  // A group goes on in the channel's next slice of memory.
  EXPECT_EQ(lengths(shaped(Granularity::kGroup, {2, 1, 5}, 4)), (Lengths{4, 1, 3, 2}));
}

}  // namespace
}  // namespace lastbit
