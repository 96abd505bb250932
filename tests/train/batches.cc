#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "lastbit/base/error.h"
#include "lastbit/data/parts.h"
#include "lastbit/train/sample_batches.h"
#include "support.h"

namespace lastbit {
namespace {

TEST(Batches, GatherSamplesAndLabelsInTheOrderAsked) {
  const auto source = std::make_shared<RandomSamples>(7, Shape{2, 3}, 4);
  const SampleBatches batches(source, {2, 3}, torch::kCPU);
  EXPECT_EQ(batches.size(), 7);
  const std::vector<std::int64_t> indices = {6, 0, 3, 6};
  const Batch batch = batches.gather(indices);
  EXPECT_EQ(batch.input.sizes(), (std::vector<std::int64_t>{4, 2, 3}));
  EXPECT_EQ(batch.labels.sizes(), std::vector<std::int64_t>{4});
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    EXPECT_EQ(batch.labels[row].item<std::int64_t>(), indices[i] % 4);
    const auto begin = source->values().begin() + 6 * indices[i];
    EXPECT_EQ(vector_of(batch.input[row]), std::vector<float>(begin, begin + 6));
  }
}

TEST(Batches, TakeTheShapeThatTheNetworkAsksFor) {
  const auto image = std::make_shared<RandomSamples>(3, Shape{1, 4, 4}, 2);
  const std::vector<std::int64_t> first = {0};
  EXPECT_EQ(SampleBatches(image, {16}, torch::kCPU).gather(first).input.sizes(),
            (std::vector<std::int64_t>{1, 16}));
  const auto flat = std::make_shared<RandomSamples>(3, Shape{16}, 2);
  EXPECT_EQ(SampleBatches(flat, {1, 4, 4}, torch::kCPU).gather(first).input.sizes(),
            (std::vector<std::int64_t>{1, 1, 4, 4}));
}

// Every byte in every place, as a set in memory has them.
std::shared_ptr<const DatasetSource> bytes_source() {
  Samples part;
  part.shape = {3, 8, 8};
  std::vector<std::uint8_t> bytes(4 * 192);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  part.values = bytes;
  part.labels = {0, 1, 2, 3};
  return make_dataset("bytes", {}, part, part).train;
}

// Batches whose bytes lie on the device, or on the host, are the same to the bit.
void expect_equal_placements(torch::Device device) {
  const auto source = bytes_source();
  const std::vector<std::int64_t> indices = {3, 0, 3};
  for (const char* how : {"none", "pad2-flip", "reflect2", "crop5-flip"}) {
    const Augmentation augmentation = Augmentation::parse(how);
    const Shape shape = augmentation.output_shape({3, 8, 8});
    const auto batch = [&](torch::Device where, Placement placement, bool augmented) {
      const SampleBatches batches(source, shape, where, augmentation, {}, placement);
      std::optional<AugmentationSeed> seed;
      if (augmented) seed = AugmentationSeed{5, 6};
      return batches.ready(batches.load(indices, {}), seed);
    };
    for (const bool augmented : {false, true}) {
      const Batch host = batch(torch::kCPU, Placement::kHost, augmented);
      for (const Placement placement : {Placement::kHost, Placement::kDevice}) {
        const Batch other = batch(device, placement, augmented);
        EXPECT_EQ(other.input.device().type(), device.type());
        EXPECT_TRUE(other.input.cpu().equal(host.input)) << how;
        EXPECT_TRUE(other.labels.cpu().equal(host.labels)) << how;
      }
    }
  }
}

TEST(Batches, AreTheSameFromBytesOnTheDevice) { expect_equal_placements(torch::kCPU); }

TEST(Batches, AreTheSameOnAGpu) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "needs a GPU";
  expect_equal_placements(torch::kCUDA);
}

TEST(Batches, NameBothShapesThatDoNotFit) {
  const auto source = std::make_shared<RandomSamples>(3, Shape{3, 32, 32}, 2);
  const std::string message = message_of<InputError>([&] {
    SampleBatches(source, {1, 28, 28}, torch::kCPU);
  });
  EXPECT_THAT(message, testing::HasSubstr("[3, 32, 32]"));
  EXPECT_THAT(message, testing::HasSubstr("[1, 28, 28]"));
}

TEST(ShuffledOrder, IsAPermutation) {
  for (const std::int64_t size : {0, 1, 2, 17, 1000}) {
    std::vector<std::int64_t> order = shuffled_order(size, 3, 4);
    std::sort(order.begin(), order.end());
    std::vector<std::int64_t> expected(static_cast<std::size_t>(size));
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(order, expected);
  }
}

TEST(ShuffledOrder, DependsOnSeedAndEpochAlone) {
  EXPECT_EQ(shuffled_order(100, 3, 4), shuffled_order(100, 3, 4));
  EXPECT_NE(shuffled_order(100, 3, 4), shuffled_order(100, 3, 5));
  EXPECT_NE(shuffled_order(100, 3, 4), shuffled_order(100, 4, 4));
  EXPECT_NE(shuffled_order(100, 3, 4), shuffled_order(100, 4, 3));
}

// More samples than a chunk of 1000, against sums in double.
TEST(MeanSample, IsTheMeanOfEveryPixelOrChannel) {
  const RandomSamples source(2345, {2, 3, 2}, 5);
  std::vector<double> sums(12, 0.0);
  for (std::size_t i = 0; i < source.values().size(); ++i) sums[i % 12] += source.values()[i];
  const torch::Tensor pixels = mean_sample(source, /*by_channel=*/false);
  EXPECT_EQ(pixels.sizes(), (std::vector<std::int64_t>{2, 3, 2}));
  const torch::Tensor channels = mean_sample(source, /*by_channel=*/true);
  EXPECT_EQ(channels.sizes(), (std::vector<std::int64_t>{2, 1, 1}));
  // Sums are in double; a mean of values below 1 is rounded once.
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_NEAR(vector_of(pixels)[i], sums[i] / 2345.0, 0x1p-24);
  }
  for (std::size_t c = 0; c < 2; ++c) {
    const double sum = std::accumulate(sums.begin() + 6 * static_cast<std::ptrdiff_t>(c),
                                       sums.begin() + 6 * static_cast<std::ptrdiff_t>(c + 1),
                                       0.0);
    EXPECT_NEAR(vector_of(channels)[c], sum / 6.0 / 2345.0, 0x1p-24);
  }
}

TEST(MeanSample, TakesEachNumberOfAVectorAsAChannel) {
  const RandomSamples source(10, {4}, 2);
  const torch::Tensor mean = mean_sample(source, /*by_channel=*/true);
  EXPECT_TRUE(torch::equal(mean, mean_sample(source, /*by_channel=*/false)));
  EXPECT_EQ(mean.sizes(), std::vector<std::int64_t>{4});
  EXPECT_EQ(statistics_by_channel(source).deviation.sizes(), std::vector<std::int64_t>{4});
}

TEST(StatisticsByChannel, AreThoseOfAllValuesOfTheChannel) {
  const RandomSamples source(2345, {2, 3, 2}, 5);
  const auto [mean_of_all, deviation] = statistics_by_channel(source);
  EXPECT_TRUE(torch::equal(mean_of_all, mean_sample(source, /*by_channel=*/true)));
  ASSERT_EQ(deviation.sizes(), (std::vector<std::int64_t>{2, 1, 1}));
  for (std::size_t c = 0; c < 2; ++c) {
    std::vector<double> values;
    for (std::size_t i = 0; i < source.values().size(); ++i) {
      if (i % 12 / 6 == c) values.push_back(source.values()[i]);
    }
    const auto count = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
    double squares = 0.0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    EXPECT_NEAR(vector_of(deviation)[c], std::sqrt(squares / count), 0x1p-23);
  }
}

TEST(Batches, AugmentInTheShapeOfTheDataAndFillWithAColour) {
  const auto image = std::make_shared<RandomSamples>(3, Shape{1, 4, 4}, 2);
  const SampleBatches batches(
      image, {16}, torch::kCPU, Augmentation::parse("pad4"), torch::tensor({9.0F}));
  const std::vector<std::int64_t> indices = {0, 1, 2};
  const Batch plain = batches.gather(indices);
  const Batch changed = batches.ready(batches.load(indices, {}), AugmentationSeed{1, 0});
  EXPECT_EQ(changed.input.sizes(), (std::vector<std::int64_t>{3, 16}));
  EXPECT_FALSE(changed.input.equal(plain.input));
  EXPECT_TRUE(changed.input.eq(9.0F).any().item<bool>());
}

}  // namespace
}  // namespace lastbit
