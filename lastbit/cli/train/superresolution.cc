#include "lastbit/cli/train/superresolution.h"

#include <cmath>
#include <iostream>
#include <memory>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/data_options.h"
#include "lastbit/method/lc.h"
#include "lastbit/method/registry.h"
#include "lastbit/train/linear_regression.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/startup.h"

namespace lastbit {
namespace {

constexpr std::int64_t kImages = 1000;
constexpr int kRounds = 30;
constexpr double kFirstMu = 10.0;
constexpr double kGrowth = 1.1;

struct Pairs {
  torch::Tensor small;  // (images, 196) float64
  torch::Tensor large;  // (images, 784) float64
};

Pairs pairs_of(const Batches& digits, std::int64_t begin, std::uint64_t seed) {
  std::vector<std::int64_t> order = shuffled_order(digits.size(), seed, 0);
  const auto first = order.begin() + static_cast<std::ptrdiff_t>(begin);
  const std::vector<std::int64_t> chosen(first, first + kImages);
  const torch::Tensor images = digits.gather(chosen).input.to(torch::kFloat64);
  return {at::avg_pool2d(images, 2).flatten(1), images.flatten(1)};
}

// One layer of the weight, in float32 as methods hold it.
struct Layer {
  explicit Layer(const torch::Tensor& reference, const std::string& codebook) {
    weights.value = reference.to(torch::kFloat32).flatten().clone();
    weights.gradient = torch::zeros_like(weights.value);
    weights.layers = {{.name = "W",
                       .layout = {1, reference.size(0), reference.size(1)},
                       .set = parse_projector(codebook)}};
    rows = reference.size(0);
  }
  torch::Tensor matrix(const torch::Tensor& flat) const {
    return flat.to(torch::kFloat64).view({rows, -1});
  }
  Weights weights;
  std::int64_t rows = 0;
};

// The low-bit weight that `method` ends with, each of its rounds solved exactly.
torch::Tensor squeeze(const std::string& method_name,
                      const std::string& codebook,
                      const LinearRegression& problem,
                      const torch::Tensor& reference) {
  const torch::NoGradGuard no_gradient;
  Layer layer(reference, codebook);
  const std::unique_ptr<Method> method =
      method_name == "lc"
          ? make_lc({.mu = Schedule::parse(fmt::format("{}*{}", kFirstMu, kGrowth), "mu")})
          : make_method(find_method(method_name));
  method->begin(layer.weights);
  Progress at{.total_steps = kRounds, .total_rounds = kRounds};
  for (int round = 0; round < kRounds && method_name != "dc"; ++round) {
    method->before_forward(at, 0);
    torch::Tensor solved;
    if (method_name == "lc") {
      // The gradient that the method adds at w = 0 is -mu times its target.
      const double mu = kFirstMu * std::pow(kGrowth, round);
      const torch::Tensor held = layer.weights.value.clone();
      layer.weights.value.zero_();
      layer.weights.gradient.zero_();
      method->after_backward(at, 0);
      solved = problem.solve(mu, layer.matrix(layer.weights.gradient) / -mu).weight;
      layer.weights.value.copy_(held);
    } else {
      solved = problem.solve(0.0, reference).weight;
    }
    layer.weights.value.copy_(solved.flatten());
    ++at.step;
    method->end_round(at);
    ++at.round;
  }
  torch::Tensor result = torch::empty_like(layer.weights.value);
  decode(layer.weights.layers, method->deployed(), result);
  return layer.matrix(result);
}

double test_loss(const torch::Tensor& weight, const torch::Tensor& bias, const Pairs& pairs) {
  const torch::Tensor outputs = at::matmul(pairs.small, weight.t()) + bias;
  return (outputs - pairs.large).square().sum().item<double>() / static_cast<double>(kImages);
}

}  // namespace

std::vector<SuperResolutionResult> run_superresolution(const SuperResolutionChoice& choice) {
  configure_process(choice.threads);
  const Dataset data = open({.name = choice.data, .folder = choice.data_folder});
  const auto shape = data.train->sample_shape();
  if (Shape(shape.begin(), shape.end()) != Shape{1, 28, 28} || data.train->size() < 2 * kImages) {
    throw InputError(cat("[lc-superresolution] '",
                         choice.data,
                         "' holds ",
                         data.train->size(),
                         " samples of ",
                         to_string(Shape(shape.begin(), shape.end())),
                         ", expected at least ",
                         2 * kImages,
                         " of [1, 28, 28]"));
  }
  const SampleBatches digits(data.train, {1, 28, 28}, torch::kCPU);
  std::vector<SuperResolutionResult> results = {{"float reference", {}, {}}};
  for (const int levels : {2, 4}) {
    for (const char* method : {"lc", "idc", "dc"}) {
      results.push_back({cat(method, ", K=", levels), {}, {}});
    }
  }
  for (std::int64_t seed = 0; seed < choice.seeds; ++seed) {
    const Pairs train = pairs_of(digits, 0, static_cast<std::uint64_t>(seed));
    const Pairs test = pairs_of(digits, kImages, static_cast<std::uint64_t>(seed));
    const LinearRegression problem(train.small, train.large);
    const LinearRegression::Solution reference = problem.solve(0.0, {});
    std::size_t next = 0;
    const auto add = [&](const torch::Tensor& weight) {
      results[next].loss.push_back(problem.loss(weight));
      results[next].test_loss.push_back(test_loss(weight, problem.bias(weight), test));
      ++next;
    };
    add(reference.weight);
    for (const int levels : {2, 4}) {
      for (const char* method : {"lc", "idc", "dc"}) {
        std::cerr << fmt::format("{}, K={}, seed {}\n", method, levels, seed);
        add(squeeze(method, cat("kmeans:", levels), problem, reference.weight));
      }
    }
  }
  return results;
}

}  // namespace lastbit
