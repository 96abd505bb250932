#include "lastbit/train/batches.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "lastbit/base/random.h"
#include "lastbit/data/fit.h"

namespace lastbit {
namespace {

// Streams of the seed: one for each use, so that none disturbs another.
constexpr std::uint64_t kOrderStream = 0x6f72646572;

}  // namespace

Batches::Batches(std::shared_ptr<const DatasetSource> source,
                 Shape sample_shape,
                 torch::Device device)
    : source_(std::move(source)), sample_shape_(std::move(sample_shape)), device_(device) {
  require_fit(source_->sample_shape(), sample_shape_);
}

Batch Batches::gather(std::span<const std::int64_t> indices) const {
  Shape shape = sample_shape_;
  shape.insert(shape.begin(), static_cast<std::int64_t>(indices.size()));
  Batch batch{.input = torch::empty(shape, torch::kFloat32),
              .labels = torch::empty({shape.front()}, torch::kInt64)};
  source_->gather(indices,
                  {batch.input.data_ptr<float>(), static_cast<std::size_t>(batch.input.numel())});
  const std::span<const std::int32_t> labels = source_->labels();
  auto* out = batch.labels.data_ptr<std::int64_t>();
  for (const std::int64_t index : indices) *out++ = labels[static_cast<std::size_t>(index)];
  return {batch.input.to(device_), batch.labels.to(device_)};
}

std::vector<std::int64_t> shuffled_order(std::int64_t size,
                                         std::uint64_t seed,
                                         std::int64_t epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  Random random(seed ^ kOrderStream, static_cast<std::uint64_t>(epoch));
  random.shuffle(std::span(order));
  return order;
}

torch::Tensor mean_sample(const DatasetSource& source, bool by_channel) {
  const Shape shape(source.sample_shape().begin(), source.sample_shape().end());
  torch::Tensor sum = torch::zeros(shape, torch::kFloat64);
  constexpr std::int64_t kChunk = 1000;
  std::vector<std::int64_t> indices;
  for (std::int64_t begin = 0; begin < source.size(); begin += kChunk) {
    indices.resize(static_cast<std::size_t>(std::min(kChunk, source.size() - begin)));
    std::iota(indices.begin(), indices.end(), begin);
    Shape chunk_shape = shape;
    chunk_shape.insert(chunk_shape.begin(), static_cast<std::int64_t>(indices.size()));
    torch::Tensor chunk = torch::empty(chunk_shape, torch::kFloat32);
    source.gather(indices, {chunk.data_ptr<float>(), static_cast<std::size_t>(chunk.numel())});
    sum += chunk.sum({0}, /*keepdim=*/false, torch::kFloat64);
  }
  torch::Tensor mean = sum / static_cast<double>(source.size());
  if (by_channel && mean.dim() > 1) {
    std::vector<std::int64_t> space(static_cast<std::size_t>(mean.dim() - 1));
    std::iota(space.begin(), space.end(), 1);
    mean = mean.mean(space, /*keepdim=*/true);
  } else if (by_channel) {
    mean = mean.mean(0, /*keepdim=*/true);
  }
  return mean.to(torch::kFloat32);
}

}  // namespace lastbit
