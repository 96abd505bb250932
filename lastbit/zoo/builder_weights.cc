#include <cmath>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/zoo/builder.h"

// How the weights of layers are drawn.

namespace lastbit {

std::size_t NetworkBuilder::weight_count(const std::string& layer,
                                         const Shape& shape,
                                         std::int64_t fan_in) const {
  if (shape.front() > kMaxZooElements / fan_in) {
    throw InputError(cat("[zoo] ",
                         network_,
                         ": ",
                         layer,
                         " would have ",
                         to_string(shape),
                         " weights, expected at most ",
                         kMaxZooElements));
  }
  return static_cast<std::size_t>(element_count(shape));
}

void NetworkBuilder::add_normal_weight(const std::string& layer,
                                       Shape shape,
                                       std::int64_t fan_in,
                                       bool rectified) {
  std::vector<float> weights(weight_count(layer, shape, fan_in));
  Random random(seed_, layers_++);
  const double deviation = std::sqrt((rectified ? 2.0 : 1.0) / static_cast<double>(fan_in));
  for (float& w : weights) w = static_cast<float>(deviation * random.normal());
  graph_.initializers.emplace(layer + ".weight", Tensor::floats(std::move(shape), weights));
}

void NetworkBuilder::add_parameters(const std::string& layer,
                                    Shape weight_shape,
                                    std::int64_t fan_in,
                                    std::int64_t fan_out) {
  const std::int64_t width = weight_shape.front();
  std::vector<float> weights(weight_count(layer, weight_shape, fan_in));
  Random random(seed_, layers_++);
  const double limit = std::sqrt(6.0 / static_cast<double>(fan_in + fan_out));
  for (float& w : weights) w = static_cast<float>(random.uniform(-limit, limit));
  const std::vector<float> bias(static_cast<std::size_t>(width), 0.0F);
  graph_.initializers.emplace(layer + ".weight", Tensor::floats(std::move(weight_shape), weights));
  graph_.initializers.emplace(layer + ".bias", Tensor::floats({width}, bias));
}

}  // namespace lastbit
