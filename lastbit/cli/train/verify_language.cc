#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>
#include <torch/types.h>

#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/model_inputs.h"
#include "lastbit/cli/train/verify_checks.h"
#include "lastbit/runtime/kernels/kernel_set.h"
#include "lastbit/train/network.h"

namespace lastbit {
namespace {

constexpr std::int64_t kSteps = 35;  // words of a call, as in the papers
constexpr std::int64_t kTexts = 4;   // side by side
constexpr int kCalls = 5;            // each goes on with the state that the one before left

using Arrays = std::vector<std::vector<float>>;
using Run = std::function<Arrays(const Arrays& inputs)>;

SessionOptions sizes_of(const Graph& graph) {
  SessionOptions options{.batch = kTexts};
  for (const Dim& dim : graph.inputs[0].dims) {
    if (!dim.known() && dim.symbol == "steps") options.sizes["steps"] = kSteps;
  }
  return with_sizes(graph, options);
}

Run run_of(Session& session) {
  return [&session](const Arrays& inputs) {
    Arrays outputs;
    for (const Port& port : session.outputs()) {
      outputs.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
    }
    session.run(std::vector<std::span<const float>>(inputs.begin(), inputs.end()),
                std::vector<std::span<float>>(outputs.begin(), outputs.end()));
    return outputs;
  };
}

Run run_of(Network& network, const Session& shapes) {
  return [&network, &shapes](const Arrays& inputs) {
    const torch::NoGradGuard no_gradient;
    std::vector<torch::Tensor> tensors;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Port& port = shapes.inputs()[i];
      torch::Tensor values = torch::from_blob(const_cast<float*>(inputs[i].data()), port.shape);
      tensors.push_back(port.type == DType::kInt64 ? values.to(torch::kInt64) : values.clone());
    }
    Arrays outputs;
    for (const torch::Tensor& value : network.compute(tensors)) {
      const torch::Tensor flat = value.contiguous();
      outputs.emplace_back(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
    }
    return outputs;
  };
}

std::vector<double> softmax(std::span<const float> row) {
  const double top = *std::ranges::max_element(row);
  std::vector<double> shares;
  double sum = 0.0;
  for (const float x : row) sum += shares.emplace_back(std::exp(x - top));
  for (double& share : shares) share /= sum;
  return shares;
}

struct Agreement {
  double values = 0.0;   // largest difference of an output over its largest value
  double chances = 0.0;  // largest difference of the distribution of the next word

  void add(const Arrays& reference, const Arrays& ours, std::size_t words) {
    for (std::size_t o = 0; o < ours.size(); ++o) {
      double difference = 0.0;
      double size = 1e-30;
      for (std::size_t i = 0; i < ours[o].size(); ++i) {
        difference = std::max(difference, std::abs(double{reference[o][i]} - ours[o][i]));
        size = std::max(size, std::abs(double{reference[o][i]}));
      }
      values = std::max(values, difference / size);
    }
    for (std::size_t begin = 0; begin < ours[0].size(); begin += words) {
      const auto a = softmax(std::span(reference[0]).subspan(begin, words));
      const auto b = softmax(std::span(ours[0]).subspan(begin, words));
      for (std::size_t w = 0; w < words; ++w) chances = std::max(chances, std::abs(a[w] - b[w]));
    }
  }
};

}  // namespace

std::vector<Check> check_language_model(const Graph& graph) {
  const SessionOptions options = sizes_of(graph);
  std::vector<std::string> names;
  for (const Value& output : graph.outputs) names.push_back(output.name);
  Network network(graph, {}, torch::kCPU, names);
  network.set_training(false);

  std::vector<Check> checks;
  for (const KernelSet* kernels : runnable_kernels()) {
    SessionOptions own = options;
    own.kernels = kernels->name;
    Session session(graph, own);
    const Run ours = run_of(session);
    const Run theirs = run_of(network, session);
    const auto words = static_cast<std::size_t>(session.outputs()[0].shape.back());
    Random random(1);
    // Both begin with the same state and then go on with their own.
    Arrays our_inputs = random_inputs(graph, session, random);
    Arrays their_inputs = our_inputs;
    Agreement found;
    for (int call = 0; call < kCalls; ++call) {
      our_inputs[0] = their_inputs[0] = random_inputs(graph, session, random)[0];
      const Arrays reference = theirs(their_inputs);
      const Arrays outputs = ours(our_inputs);
      found.add(reference, outputs, words);
      std::copy(outputs.begin() + 1, outputs.end(), our_inputs.begin() + 1);
      std::copy(reference.begin() + 1, reference.end(), their_inputs.begin() + 1);
    }
    const bool fastest = kernels == runnable_kernels().front();
    checks.push_back(
        {.claim =
             fmt::format("{} agrees with LibTorch within {:g} on {} random tokens",
                         fastest ? std::string("runtime") : cat("kernels '", kernels->name, "'"),
                         kTolerance,
                         kCalls * element_count(session.inputs()[0].shape)),
         .holds = found.values <= kTolerance && found.chances <= kTolerance,
         .finding = fmt::format("largest relative difference {:.1e}, of the next token's "
                                "distribution {:.1e}",
                                found.values,
                                found.chances)});
  }
  return checks;
}

}  // namespace lastbit
