#include "lastbit/train/sample_batches.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "lastbit/data/fit.h"
#include "lastbit/method/sent.h"

namespace lastbit {
namespace {

// Most bytes of one part that are laid on a GPU. CIFAR's 50,000 images take 0.15 GB.
constexpr std::size_t kMaxResident = std::size_t{4} << 30U;

Shape shape_of_sample(const DatasetSource& source) {
  return {source.sample_shape().begin(), source.sample_shape().end()};
}

Shape with_batch(std::size_t count, Shape shape) {
  shape.insert(shape.begin(), static_cast<std::int64_t>(count));
  return shape;
}

// Calls `use` on the samples that a mean is taken over, some hundred at a time, (batch, shape...).
// @return how many there were.
std::int64_t for_statistics(const DatasetSource& source,
                            const std::function<void(const torch::Tensor&)>& use) {
  constexpr std::int64_t kChunk = 1000;
  constexpr std::int64_t kEnough = 10000;
  const std::int64_t size = source.size();
  const std::int64_t count = source.in_memory() ? size : std::min(size, kEnough);
  const auto stride = static_cast<double>(size) / static_cast<double>(count);
  const std::int64_t chunk_size = source.in_memory() ? kChunk : kChunk / 10;
  std::vector<std::int64_t> indices;
  for (std::int64_t begin = 0; begin < count; begin += chunk_size) {
    indices.clear();
    for (std::int64_t i = begin; i < std::min(count, begin + chunk_size); ++i) {
      indices.push_back(static_cast<std::int64_t>(static_cast<double>(i) * stride));
    }
    const torch::Tensor chunk =
        torch::empty(with_batch(indices.size(), shape_of_sample(source)), torch::kFloat32);
    source.gather(indices, {chunk.data_ptr<float>(), static_cast<std::size_t>(chunk.numel())});
    use(chunk);
  }
  return count;
}

torch::Tensor mean_of_channels(const torch::Tensor& sample) {
  if (sample.dim() <= 1) return sample;
  std::vector<std::int64_t> space(static_cast<std::size_t>(sample.dim() - 1));
  std::iota(space.begin(), space.end(), 1);
  return sample.mean(space, /*keepdim=*/true);
}

}  // namespace

SampleBatches::SampleBatches(std::shared_ptr<const DatasetSource> source,
                             Shape sample_shape,
                             torch::Device device,
                             const Augmentation& augmentation,
                             const torch::Tensor& fill,
                             Placement placement)
    : source_(std::move(source)),
      data_shape_(shape_of_sample(*source_)),
      sample_shape_(std::move(sample_shape)),
      device_(device),
      augmentation_(augmentation) {
  require_fit(augmentation_.output_shape(data_shape_), sample_shape_);
  if (fill.defined()) fill_ = fill.to(device_);
  const std::span<const std::uint8_t> bytes = source_->bytes();
  const bool pays = device_.is_cuda() && bytes.size() <= kMaxResident;
  if (bytes.empty() || placement == Placement::kHost) return;
  if (placement == Placement::kWhereItPays && !pays) return;
  // Looked up and not divided, for the host's quotients to the last bit.
  values_ = (torch::arange(256, torch::kFloat32) / 255.0F).to(device_);
  resident_ = torch::from_blob(const_cast<std::uint8_t*>(bytes.data()),
                               {size(), static_cast<std::int64_t>(bytes.size()) / size()},
                               torch::kUInt8)
                  .to(device_);
}

std::int64_t SampleBatches::tested_together() const noexcept {
  // A few hundred, but no more than 64 MiB: samples are also loaded ahead of time.
  constexpr std::int64_t kMostSamples = 500;
  constexpr std::int64_t kMostValues = 1 << 24;
  return std::clamp<std::int64_t>(
      kMostValues / element_count(source_->sample_shape()), 1, kMostSamples);
}

bool SampleBatches::load_is_slow() const noexcept {
  return !source_->in_memory() || (device_.is_cuda() && !resident_.defined());
}

LoadedBatch SampleBatches::load(std::span<const std::int64_t> indices,
                                const std::optional<AugmentationSeed>& /*seed*/) const {
  const auto pinned = [&](torch::Dtype type) {
    return torch::TensorOptions(type).pinned_memory(device_.is_cuda());
  };
  LoadedBatch loaded{.indices = {indices.begin(), indices.end()}, .input = {}, .labels = {}};
  loaded.labels = torch::empty({static_cast<std::int64_t>(indices.size())}, pinned(torch::kInt64));
  const std::span<const std::int32_t> labels = source_->labels();
  auto* out = loaded.labels.data_ptr<std::int64_t>();
  for (const std::int64_t index : indices) *out++ = labels[static_cast<std::size_t>(index)];
  if (resident_.defined()) return loaded;
  loaded.input = torch::empty(with_batch(indices.size(), data_shape_), pinned(torch::kFloat32));
  source_->gather(indices,
                  {loaded.input.data_ptr<float>(), static_cast<std::size_t>(loaded.input.numel())});
  return loaded;
}

Batch SampleBatches::ready(const LoadedBatch& loaded,
                           const std::optional<AugmentationSeed>& seed) const {
  const torch::NoGradGuard no_gradient;
  torch::Tensor input;
  if (resident_.defined()) {
    const torch::Tensor rows = sent_to(device_, torch::tensor(loaded.indices, torch::kInt64));
    const torch::Tensor bytes = resident_.index_select(0, rows).flatten().to(torch::kInt32);
    input = values_.index_select(0, bytes).view(with_batch(loaded.indices.size(), data_shape_));
  } else {
    input = sent_to(device_, loaded.input);
  }
  input = seed ? augment(input, augmentation_, loaded.indices, *seed, fill_)
               : cut_middle(input, augmentation_);
  return {input.reshape(with_batch(loaded.indices.size(), sample_shape_)),
          sent_to(device_, loaded.labels)};
}

torch::Tensor mean_sample(const DatasetSource& source, bool by_channel) {
  torch::Tensor sum = torch::zeros(shape_of_sample(source), torch::kFloat64);
  const std::int64_t count = for_statistics(source, [&](const torch::Tensor& chunk) {
    sum += chunk.sum({0}, /*keepdim=*/false, torch::kFloat64);
  });
  const torch::Tensor mean = sum / static_cast<double>(count);
  return (by_channel ? mean_of_channels(mean) : mean).to(torch::kFloat32);
}

ChannelStatistics statistics_by_channel(const DatasetSource& source) {
  torch::Tensor sum = torch::zeros(shape_of_sample(source), torch::kFloat64);
  torch::Tensor squares = torch::zeros_like(sum);
  const std::int64_t count = for_statistics(source, [&](const torch::Tensor& chunk) {
    sum += chunk.sum({0}, /*keepdim=*/false, torch::kFloat64);
    squares += chunk.to(torch::kFloat64).square().sum(0);
  });
  const torch::Tensor mean = mean_of_channels(sum / static_cast<double>(count));
  const torch::Tensor mean_square = mean_of_channels(squares / static_cast<double>(count));
  // A difference of sums in double; one of 1e-12 is what their rounding leaves of equal values.
  const torch::Tensor variance = mean_square - mean.square();
  const torch::Tensor varies = variance > 1e-12 * mean_square;
  const torch::Tensor deviation = torch::where(varies, variance, torch::zeros_like(variance));
  return {mean.to(torch::kFloat32), deviation.sqrt().to(torch::kFloat32)};
}

}  // namespace lastbit
