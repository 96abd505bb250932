#include "lastbit/train/batch_stream.h"

#include <atomic>
#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/train/sample_batches.h"
#include "support.h"

namespace lastbit {
namespace {

// Samples as if they were read from files; that of one index cannot be.
class SlowSamples final : public DatasetSource {
 public:
  explicit SlowSamples(std::int64_t bad = -1) : samples_(20, Shape{2, 5, 5}, 4), bad_(bad) {}
  std::int64_t size() const noexcept override { return samples_.size(); }
  std::span<const std::int64_t> sample_shape() const noexcept override {
    return samples_.sample_shape();
  }
  std::int64_t classes() const noexcept override { return samples_.classes(); }
  std::span<const std::int32_t> labels() const noexcept override { return samples_.labels(); }
  bool in_memory() const noexcept override { return false; }
  void gather(std::span<const std::int64_t> indices, std::span<float> out) const override {
    for (const std::int64_t index : indices) {
      if (index == bad_) throw FormatError("[image] x.jpg is damaged");
    }
    gathered += static_cast<std::int64_t>(indices.size());
    samples_.gather(indices, out);
  }

  mutable std::atomic<std::int64_t> gathered{0};

 private:
  RandomSamples samples_;
  std::int64_t bad_;
};

std::vector<Batch> all(BatchStream&& stream) {
  std::vector<Batch> batches;
  while (!stream.done()) batches.push_back(stream.next());
  return batches;
}

TEST(BatchStream, IsTheSameWithAndWithoutAThread) {
  const auto source = std::make_shared<SlowSamples>();
  const SampleBatches batches(source, {2, 5, 5}, torch::kCPU, Augmentation::parse("pad2-flip"));
  const auto order = shuffled_order(20, 1, 2);
  for (const std::int64_t begin : {0, 6}) {
    std::vector<std::vector<Batch>> results;
    for (const std::size_t ahead : {0, 1, 2, 50}) {
      results.push_back(all(BatchStream(
          batches,
          order,
          {.batch = 6, .begin = begin, .augmentation = AugmentationSeed{3, 4}, .ahead = ahead})));
      ASSERT_EQ(results.back().size(), begin == 0 ? 4U : 3U);
      for (std::size_t i = 0; i < results.back().size(); ++i) {
        EXPECT_TRUE(results.back()[i].input.equal(results.front()[i].input));
        EXPECT_TRUE(results.back()[i].labels.equal(results.front()[i].labels));
      }
    }
    EXPECT_EQ(results.front().back().labels.size(0), 2);
    const auto indices = std::span(order).subspan(static_cast<std::size_t>(begin), 6);
    EXPECT_TRUE(results.front().front().labels.equal(batches.gather(indices).labels));
  }
}

TEST(BatchStream, GivesEachWorkerItsSliceOfEveryBatch) {
  const SampleBatches batches(
      std::make_shared<SlowSamples>(), {2, 5, 5}, torch::kCPU, Augmentation::parse("pad2-flip"));
  const auto order = shuffled_order(20, 1, 2);
  const auto stream_of = [&](int worker, int workers, std::size_t ahead) {
    return all(BatchStream(batches,
                           order,
                           {.batch = 9,
                            .worker = worker,
                            .workers = workers,
                            .augmentation = AugmentationSeed{3, 4},
                            .ahead = ahead}));
  };
  const std::vector<Batch> whole = stream_of(0, 1, 0);
  for (const std::size_t ahead : {0, 2}) {
    std::vector<std::vector<torch::Tensor>> inputs(whole.size());
    std::int64_t empty = 0;
    for (int worker = 0; worker < 4; ++worker) {
      const std::vector<Batch> own = stream_of(worker, 4, ahead);
      ASSERT_EQ(own.size(), whole.size());
      for (std::size_t i = 0; i < own.size(); ++i) {
        if (own[i].input.defined()) {
          inputs[i].push_back(own[i].input);
        } else {
          ++empty;
        }
      }
    }
    EXPECT_EQ(empty, 2);  // the last batch has two samples for four workers
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_TRUE(torch::cat(inputs[i]).equal(whole[i].input)) << i;
    }
  }
}

TEST(BatchStream, WithoutASeedIsNotAugmented) {
  const SampleBatches batches(
      std::make_shared<SlowSamples>(), {2, 3, 3}, torch::kCPU, Augmentation::parse("crop3-flip"));
  const std::vector<std::int64_t> order = {4, 5, 6};
  BatchStream stream(batches, order, {.batch = 3});
  EXPECT_TRUE(stream.next().input.equal(batches.gather(order).input));
  EXPECT_TRUE(stream.done());
}

TEST(BatchStream, RethrowsWhatLoadingThrewAtItsBatch) {
  const SampleBatches batches(std::make_shared<SlowSamples>(7), {2, 5, 5}, torch::kCPU);
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < 20; ++i) order.push_back(i);
  BatchStream stream(batches, order, {.batch = 5, .ahead = 3});
  EXPECT_EQ(stream.next().labels.size(0), 5);
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(message_of<FormatError>([&] { stream.next(); }), "[image] x.jpg is damaged");
  }
}

TEST(BatchStream, LoadsNoFurtherAheadThanAskedAndStopsWhenDropped) {
  const auto source = std::make_shared<SlowSamples>();
  const SampleBatches batches(source, {2, 5, 5}, torch::kCPU);
  {
    BatchStream stream(batches, shuffled_order(20, 1, 2), {.batch = 2, .ahead = 2});
    stream.next();
  }
  // One handed out, two waiting.
  EXPECT_LE(source->gathered, 2 * 3);
}

TEST(BatchStream, IsAskedForAThreadBySlowSourcesAlone) {
  EXPECT_TRUE(
      SampleBatches(std::make_shared<SlowSamples>(), {2, 5, 5}, torch::kCPU).load_is_slow());
  const auto quick = std::make_shared<RandomSamples>(4, Shape{3}, 2);
  EXPECT_FALSE(SampleBatches(quick, {3}, torch::kCPU).load_is_slow());
  const SampleBatches batches(quick, {3}, torch::kCPU);
  BatchStream stream(batches, {0, 1, 2}, {.batch = 2});
  stream.next();
  EXPECT_GT(stream.waited(), 0.0);
}

}  // namespace
}  // namespace lastbit
