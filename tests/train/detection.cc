#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/detect/box_coding.h"
#include "lastbit/detect/match.h"
#include "lastbit/runtime/suppression.h"
#include "lastbit/train/detection_batches.h"
#include "lastbit/train/detection_task.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/trainer.h"
#include "rings.h"
#include "support.h"
#include "tests/data/files.h"
#include "tests/runtime/reference.h"

namespace lastbit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kSide = 64;

/// Pictures of rectangles, class 0 red and class 1 green, on grey.
class Detectors : public testing::Test {
 protected:
  // One or two objects each; boxes are those of the rectangles, in pixels.
  std::shared_ptr<DetectionSource> source(std::int64_t size, bool damaged = false) {
    std::vector<DetectionEntry> entries;
    Random random(3);
    for (std::int64_t i = 0; i < size; ++i) {
      Image image{.size = {kSide, kSide},
                  .pixels = std::vector<std::uint8_t>(3 * kSide * kSide, 90)};
      DetectionEntry entry{.path = {}, .size = image.size, .objects = {}};
      for (std::int64_t k = 0; k <= i % 2; ++k) {
        const auto left = static_cast<std::int64_t>(random.below(10)) + 30 * k;
        const auto top = static_cast<std::int64_t>(random.below(40));
        const auto side = static_cast<std::int64_t>(12 + random.below(10));
        const auto label = static_cast<std::int32_t>((i + k) % 2);
        for (std::int64_t y = top; y < top + side; ++y) {
          for (std::int64_t x = left; x < left + side; ++x) {
            image.pixels[static_cast<std::size_t>(3 * (y * kSide + x) + label)] = 250;
          }
        }
        entry.objects.push_back({.box = {static_cast<float>(left),
                                         static_cast<float>(top),
                                         static_cast<float>(left + side),
                                         static_cast<float>(top + side)},
                                 .label = label});
      }
      std::string file = encode_png(image);
      if (damaged && i == 1) file.resize(file.size() / 2);
      entry.path = folder_.write(cat(i, ".png"), file);
      entries.push_back(std::move(entry));
    }
    return std::make_shared<DetectionSource>(
        std::move(entries), std::vector<std::string>{}, std::vector<std::string>{}, false);
  }

  static Graph detector() {
    return make_network("ssd-small", {.input = {3, kSide, kSide}, .classes = 2, .seed = 1});
  }

  static DetectionBatches batches(std::shared_ptr<const DetectionSource> source,
                                  const DetectionAugmentation& changes = {},
                                  int threads = 2) {
    return DetectionBatches(
        std::move(source), detector_form(detector()), {0, 1}, torch::kCPU, changes, threads);
  }

  static std::vector<std::string> values() {
    return {kDetectorValues.begin(), kDetectorValues.end()};
  }

 private:
  TempFolder folder_;
};

using DetectionBatchesTest = Detectors;
using DetectionTaskTest = Detectors;

bool same(const torch::Tensor& a, const torch::Tensor& b) { return torch::equal(a, b); }

TEST_F(DetectionBatchesTest, ReadWhatADetectorAsksFor) {
  const DetectorForm form = detector_form(detector());
  EXPECT_EQ(form.size, (ImageSize{kSide, kSide}));
  EXPECT_EQ(form.classes, 2);
  EXPECT_EQ(form.priors.size(), 4U * 8 * 8 + 6 * 4 * 4 + 6 * 2 * 2 + 4);
  const auto refusal = [](const Graph& graph) -> std::string {
    try {
      detector_form(graph);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(refusal(make_network("lenet5", {})), HasSubstr("has the input [batch, 1, 28, 28]"));
  EXPECT_THAT(refusal(make_network("resnet20", {.input = {3, 32, 32}})),
              HasSubstr("has no priors"));
  Graph other = detector();
  other.initializers.insert_or_assign("priors",
                                      Tensor::floats({1, 4}, std::vector<float>(4, 0.5F)));
  EXPECT_THAT(refusal(other), HasSubstr("has offsets of shape [1, 380, 4]"));
}

TEST_F(DetectionBatchesTest, MatchObjectsWithPriors) {
  const auto data = source(4);
  const DetectionBatches part(data, detector_form(detector()), {1, 0}, torch::kCPU);
  EXPECT_EQ(part.size(), 4);
  EXPECT_EQ(part.classes(), 2);
  const std::array<std::int64_t, 2> indices = {3, 0};
  const Batch batch = part.gather(indices);
  ASSERT_EQ(batch.input.sizes().vec(), (Shape{2, 3, kSide, kSide}));
  const std::vector<CentredBox>& priors = part.form().priors;
  for (std::int64_t i = 0; i < 2; ++i) {
    const DetectionSample sample = data->read(indices[static_cast<std::size_t>(i)]);
    EXPECT_EQ(batch.input[i][1][5][7].item<float>(),
              static_cast<float>(sample.image.pixels[3 * (5 * kSide + 7) + 1]) / 255.0F);
    std::vector<Box> truths;
    for (const LabelledBox& object : sample.objects) {
      truths.push_back({object.box.left / kSide,
                        object.box.top / kSide,
                        object.box.right / kSide,
                        object.box.bottom / kSide});
    }
    const std::vector<std::int32_t> matches = match_priors(truths, priors);
    std::int64_t matched = 0;
    for (std::size_t p = 0; p < priors.size(); ++p) {
      const std::vector<float> row = vector_of(batch.labels[i][static_cast<std::int64_t>(p)]);
      if (matches[p] == kNoTruth) {
        ASSERT_THAT(row, ElementsAre(0, 0, 0, 0, 0));
        continue;
      }
      ++matched;
      const auto truth = static_cast<std::size_t>(matches[p]);
      const std::array<float, 4> offsets = encode_box(truths[truth], priors[p], {});
      // The labels of the data are exchanged, and those of batches count from 1.
      const auto label = static_cast<float>(2 - sample.objects[truth].label);
      ASSERT_THAT(row, ElementsAre(offsets[0], offsets[1], offsets[2], offsets[3], label));
    }
    EXPECT_GT(matched, 0);
  }
}

TEST_F(DetectionBatchesTest, DependOnNeitherThreadsNorCompany) {
  const auto data = source(5);
  const DetectionBatches one = batches(data, {}, 1);
  const DetectionBatches three = batches(data, {}, 3);
  const std::array<std::int64_t, 5> all = {4, 0, 1, 2, 3};
  const AugmentationSeed seed{.seed = 5, .epoch = 2};
  const LoadedBatch a = one.load(all, seed);
  const LoadedBatch b = three.load(all, seed);
  EXPECT_TRUE(same(a.input, b.input));
  EXPECT_TRUE(same(a.labels, b.labels));
  const LoadedBatch alone = one.load(std::span(all).subspan(3, 1), seed);
  EXPECT_TRUE(same(alone.input[0], a.input[3]));
  EXPECT_TRUE(same(alone.labels[0], a.labels[3]));
  const LoadedBatch later = one.load(all, AugmentationSeed{.seed = 5, .epoch = 3});
  EXPECT_FALSE(same(later.input, a.input));
  EXPECT_FALSE(same(one.load(all, {}).input, a.input));
}

TEST_F(DetectionBatchesTest, SayWhichImageStandsForADamagedOne) {
  const DetectionBatches part = batches(source(4, /*damaged=*/true));
  const std::array<std::int64_t, 3> indices = {0, 1, 2};
  EXPECT_THAT(part.load(indices, {}).indices, ElementsAre(0, 2, 2));
  EXPECT_EQ(part.skipped().size(), 1U);
  // It counts for nothing when boxes are evaluated.
  Network network(detector(), {}, torch::kCPU, values());
  DetectionTask().evaluate(network, part, nullptr);
}

TEST_F(DetectionBatchesTest, RefuseClassesThatTheDetectorLacks) {
  try {
    DetectionBatches(source(2), detector_form(detector()), {0, 2}, torch::kCPU);
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("a class 2, expected one of the model's 2"));
  }
}

// What the exported file gives in our runtime, image by image.
double precision_of_file(const Graph& graph, const DetectionBatches& data, PrecisionRule rule) {
  Session session(graph);
  std::vector<EvaluatedImage> images;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const Batch batch = data.gather(std::array{i});
    const auto outputs = reference::run(session, {vector_of(batch.input)});
    const std::size_t priors = outputs[0].size() / 4;
    EvaluatedImage image;
    for (std::size_t row = 0; row < selected_rows(outputs[2]); ++row) {
      const auto label = static_cast<std::size_t>(outputs[2][3 * row + 1]);
      const auto prior = static_cast<std::size_t>(outputs[2][3 * row + 2]);
      const float* box = outputs[0].data() + 4 * prior;
      const Box cut = clipped({box[1], box[0], box[3], box[2]}, 1.0F, 1.0F);
      if (!has_area(cut)) continue;
      image.detections.push_back({.box = cut,
                                  .label = static_cast<std::int32_t>(label),
                                  .score = outputs[1][label * priors + prior]});
    }
    std::ranges::stable_sort(image.detections, std::greater{}, &Detection::score);
    if (image.detections.size() > 200) image.detections.resize(200);
    for (const LabelledBox& object : data.objects(i)) {
      image.truths.push_back({.box = object.box, .label = object.label});
    }
    images.push_back(std::move(image));
  }
  return mean_average_precision(images, 2, {.rule = rule}).mean;
}

TEST_F(DetectionTaskTest, LearnsToFindRectanglesAsTheFileDoes) {
  const auto data = source(12);
  const DetectionBatches train = batches(data, DetectionAugmentation::none());
  Network network(detector(), {}, torch::kCPU, values());
  DetectionTask task;
  task.require_fit(network, train);
  const Score before = task.evaluate(network, train, nullptr);
  EXPECT_EQ(before.measure, Measure::kMeanPrecision);
  EXPECT_EQ(before.examples, 12);
  EXPECT_LT(1.0 - before.error, 0.3);

  TrainerOptions options{.epochs = 40, .batch = 6, .learning_rate = 0.003};
  options.optimizer.name = "adam";
  options.task = &task;
  Trainer(network, train, train, options).run({});
  const Score after = task.evaluate(network, train, nullptr);
  EXPECT_GT(1.0 - after.error, 0.8);
  EXPECT_LT(after.loss, 0.2 * before.loss);

  const Graph file = network.exported();
  EXPECT_NEAR(precision_of_file(file, train, PrecisionRule::kElevenPoint), 1.0 - after.error, 0.01);
  const Score area = DetectionTask(PrecisionRule::kArea).evaluate(network, train, nullptr);
  EXPECT_NEAR(precision_of_file(file, train, PrecisionRule::kArea), 1.0 - area.error, 0.01);
}

TEST_F(DetectionTaskTest, SharesTheEvaluationAmongWorkers) {
  const auto data = source(7);
  Network alone(detector(), {}, torch::kCPU, values());
  const Score expected = DetectionTask().evaluate(alone, batches(data), nullptr);
  std::vector<Score> scores(3);
  std::vector<Ring> rings = make_rings(3);
  at_once(3, [&](int rank) {
    const auto at = static_cast<std::size_t>(rank);
    const auto workers = make_communicator(std::move(rings[at]), torch::kCPU);
    Network network(detector(), {}, torch::kCPU, values());
    const DetectionBatches part = batches(data, {}, 1);
    scores[at] = DetectionTask().evaluate(network, part, workers.get());
  });
  for (const Score& score : scores) {
    EXPECT_EQ(score.error, expected.error);
    // Sums of other partitions of the images.
    EXPECT_NEAR(score.loss, expected.loss, 1e-5 * expected.loss);
  }
}

TEST_F(DetectionTaskTest, RefusesWhatIsNotMadeForIt) {
  const auto refusal = [](const std::function<void()>& work) -> std::string {
    try {
      work();
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  };
  DetectionTask task;
  const DetectionBatches part = batches(source(2));
  Network network(detector(), {}, torch::kCPU, values());
  const SampleBatches samples(std::make_shared<RandomSamples>(2, Shape{3, kSide, kSide}, 2),
                              {3, kSide, kSide},
                              torch::kCPU);
  EXPECT_THAT(refusal([&] { task.require_fit(network, samples); }), HasSubstr("no boxes"));
  Network first(detector(), {}, torch::kCPU, {"offsets"});
  EXPECT_THAT(refusal([&] { task.require_fit(first, part); }),
              HasSubstr("computes 1 values, of which the first is [1, 380, 4]"));
  const Batch batch = part.gather(std::array<std::int64_t, 1>{0});
  EXPECT_THAT(refusal([&] { task.loss(network, batch, {.distillation = {.teacher = &first}}); }),
              HasSubstr("expected no teacher"));
}

}  // namespace
}  // namespace lastbit
