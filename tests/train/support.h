#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "lastbit/data/dataset.h"
#include "lastbit/data/digits.h"
#include "lastbit/graph/graph.h"
#include "lastbit/train/network.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {

inline std::vector<float> vector_of(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

inline std::vector<float> decoded(const Quantized& quantized) {
  std::vector<float> values(quantized.codes.size());
  decode(quantized, values);
  return values;
}

/// The constraints that one rule for all layers makes.
inline std::vector<Constraint> constraints(const Graph& graph, const std::string& rule) {
  const std::vector<std::string> rules = {rule};
  return choose_codebooks(graph, rules);
}

/// A network of the zoo with one hidden layer of 32.
inline Graph small_mlp(std::uint64_t seed = 1) {
  return make_network("mlp", {.hidden = {32}, .center = "none", .seed = seed});
}

inline Dataset small_digits(std::int64_t train, std::int64_t test) {
  return make_digits({.seed = 0, .train = train, .test = test}, 1);
}

/// Random samples of `shape` with labels in turn.
class RandomSamples final : public DatasetSource {
 public:
  RandomSamples(std::int64_t size, Shape shape, std::int64_t classes, std::uint64_t seed = 1)
      : shape_(std::move(shape)), classes_(classes) {
    Random random(seed);
    values_.resize(static_cast<std::size_t>(size * element_count(shape_)));
    for (float& value : values_) value = static_cast<float>(random.uniform(-1.0, 1.0));
    for (std::int64_t i = 0; i < size; ++i) {
      labels_.push_back(static_cast<std::int32_t>(i % classes));
    }
  }

  std::int64_t size() const noexcept override { return static_cast<std::int64_t>(labels_.size()); }
  std::span<const std::int64_t> sample_shape() const noexcept override { return shape_; }
  std::int64_t classes() const noexcept override { return classes_; }
  std::span<const std::int32_t> labels() const noexcept override { return labels_; }
  const std::vector<float>& values() const noexcept { return values_; }

  void gather(std::span<const std::int64_t> indices, std::span<float> out) const override {
    const auto step = static_cast<std::size_t>(element_count(shape_));
    std::size_t at = 0;
    for (const std::int64_t index : indices) {
      for (std::size_t k = 0; k < step; ++k) {
        out[at++] = values_[static_cast<std::size_t>(index) * step + k];
      }
    }
  }

 private:
  Shape shape_;
  std::int64_t classes_;
  std::vector<float> values_;
  std::vector<std::int32_t> labels_;
};

/// The message with which `call` throws `Expected`.
template <typename Expected, typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Expected& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace lastbit
