// Speed of training, as two ratios that mean the same on every machine:
//
//     bench_training [PAIRS]
//
// 1. LeNet5 at batch 512: images a second of our trainer over those of a plain LibTorch loop of the
//    same network, as a user would write it, in a process with LibTorch's own settings. Each runs
//    in a process of its own, in turn, so that neither inherits the other's settings and both see
//    the same load. First, both must compute the same loss for the same weights.
// 2. LeNet300 at batch 256: the share of a step that is neither forward nor backward: zeroing, the
//    method and the optimizer.

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <torch/nn.h>
#include <torch/optim.h>

#include "lastbit/data/digits.h"
#include "lastbit/method/admm.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/startup.h"
#include "lastbit/train/trainer.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {
namespace {

constexpr std::int64_t kSamples = 10240;  // 20 steps of 512
constexpr std::int64_t kEpochs = 3;       // the first warms up
constexpr double kRate = 0.02;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Dataset digits() { return make_digits({.seed = 0, .train = kSamples, .test = 10}, 0); }

Graph lenet5() { return make_network("lenet5", {.center = "none", .seed = 1}); }

torch::nn::Sequential plain_lenet5() {
  namespace nn = torch::nn;
  return nn::Sequential(nn::Conv2d(nn::Conv2dOptions(1, 20, 5)),
                        nn::ReLU(),
                        nn::MaxPool2d(nn::MaxPool2dOptions(2)),
                        nn::Conv2d(nn::Conv2dOptions(20, 50, 5)),
                        nn::ReLU(),
                        nn::MaxPool2d(nn::MaxPool2dOptions(2)),
                        nn::Flatten(),
                        nn::Linear(800, 500),
                        nn::ReLU(),
                        nn::Linear(500, 10));
}

// Images a second of our trainer.
double run_ours() {
  configure_process(0);
  Network network(lenet5(), {});
  const Dataset data = digits();
  const SampleBatches train(data.train, network.sample_shape(), torch::kCPU);
  const SampleBatches test(data.test, network.sample_shape(), torch::kCPU);
  double seconds = 0.0;
  Observer observer;
  observer.epoch = [&](const EpochReport& report) {
    if (report.epoch > 1) seconds += report.seconds;
  };
  Trainer(network, train, test, {.epochs = kEpochs, .batch = 512, .learning_rate = kRate})
      .run(observer);
  return static_cast<double>((kEpochs - 1) * kSamples) / seconds;
}

// Images a second of the plain loop.
double run_plain() {
  const Dataset data = digits();
  const SampleBatches all(data.train, {1, 28, 28}, torch::kCPU);
  std::vector<std::int64_t> indices(kSamples);
  std::iota(indices.begin(), indices.end(), 0);
  const Batch samples = all.gather(indices);

  torch::nn::Sequential network = plain_lenet5();
  torch::optim::SGD optimizer(network->parameters(),
                              torch::optim::SGDOptions(kRate).momentum(0.9).nesterov(true));
  double loss_sum = 0.0;
  double seconds = 0.0;
  for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const auto start = Clock::now();
    const torch::Tensor order = torch::randperm(kSamples);
    for (std::int64_t begin = 0; begin < kSamples; begin += 512) {
      const torch::Tensor batch = order.narrow(0, begin, 512);
      optimizer.zero_grad();
      const torch::Tensor loss = torch::nn::functional::cross_entropy(
          network->forward(samples.input.index_select(0, batch)),
          samples.labels.index_select(0, batch));
      loss.backward();
      optimizer.step();
      loss_sum += loss.item<double>();
    }
    if (epoch > 0) seconds += seconds_since(start);
  }
  if (!std::isfinite(loss_sum)) std::exit(1);
  return static_cast<double>((kEpochs - 1) * kSamples) / seconds;
}

// Both networks must compute the same loss. Their sums may run in another order; the tolerance is a
// guard against another network.
void check_equal_losses() {
  Network ours(lenet5(), {});
  torch::nn::Sequential plain = plain_lenet5();
  const torch::NoGradGuard no_gradient;
  const std::vector<torch::Tensor> parameters = plain->parameters();
  const Graph graph = lenet5();
  std::size_t next = 0;
  for (const std::string layer : {"conv1", "conv2", "fc1", "fc2"}) {
    for (const std::string part : {".weight", ".bias"}) {
      const Tensor tensor = decode(*graph.find_initializer(layer + part));
      const auto values = tensor.as_floats();
      parameters[next++].copy_(
          torch::tensor(std::vector<float>(values.begin(), values.end())).view(tensor.shape()));
    }
  }
  const Dataset data = digits();
  const SampleBatches all(data.train, ours.sample_shape(), torch::kCPU);
  std::vector<std::int64_t> indices(512);
  std::iota(indices.begin(), indices.end(), 0);
  const Batch batch = all.gather(indices);
  const double a = cross_entropy(ours.forward(batch.input), batch.labels).loss.item<double>();
  const double b = cross_entropy(plain->forward(batch.input), batch.labels).loss.item<double>();
  std::printf("loss of the same weights: ours %.6f, plain %.6f\n", a, b);
  if (std::abs(a - b) > 1e-4) {
    std::cerr << "the networks differ\n";
    std::exit(1);
  }
}

// Runs this program as `mode` and reads the figure that it prints.
double run_child(const std::string& program, const std::string& mode) {
  const std::string command = "unset OMP_WAIT_POLICY; '" + program + "' " + mode;
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  double figure = 0.0;
  if (pipe == nullptr || std::fscanf(pipe.get(), "%lf", &figure) != 1 || figure <= 0.0) {
    std::cerr << "a run of '" << command << "' failed\n";
    std::exit(1);
  }
  return figure;
}

void compare_loops(const std::string& program, int pairs) {
  check_equal_losses();
  std::vector<double> ours;
  std::vector<double> plain;
  std::vector<double> ratios;
  for (int pair = 0; pair < pairs; ++pair) {
    ours.push_back(run_child(program, "--ours"));
    plain.push_back(run_child(program, "--plain"));
    ratios.push_back(ours.back() / plain.back());
    std::printf("pair %d: ours %.0f, plain %.0f images/s, ratio %.3f\n",
                pair + 1,
                ours.back(),
                plain.back(),
                ratios.back());
    std::fflush(stdout);
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  std::printf("lenet5 batch 512: ours %.0f, plain %.0f images/s; ratio %.3f (%.3f to %.3f)\n",
              median(ours),
              median(plain),
              median(ratios),
              *least,
              *most);
  std::fflush(stdout);
}

// The share of a step's time outside forward and backward.
double overhead_share(Method* method) {
  const Graph graph = make_network("lenet300", {.center = "none", .seed = 1});
  const std::vector<std::string> rules = {"ternary"};
  Network network(graph, choose_codebooks(graph, rules));
  const Dataset data = digits();
  const SampleBatches train(data.train, network.sample_shape(), torch::kCPU);
  const auto optimizer =
      make_optimizer({}, network.parameters(), network.gradients(), network.matrix_size());
  std::vector<std::int64_t> indices(256);
  std::iota(indices.begin(), indices.end(), 0);
  const Batch batch = train.gather(indices);
  if (method != nullptr) {
    const torch::NoGradGuard no_gradient;
    method->begin(network.constrained());
  }
  const Progress at{.total_steps = 1000, .total_rounds = 1, .learning_rate = kRate};
  double inside = 0.0;
  double outside = 0.0;
  constexpr int kWarmUp = 20;
  for (int step = 0; step < 200; ++step) {
    if (step == kWarmUp) inside = outside = 0.0;
    for (int pass = 0; pass < (method == nullptr ? 1 : method->passes()); ++pass) {
      auto start = Clock::now();
      network.gradients().zero_();
      outside += seconds_since(start);
      start = Clock::now();
      cross_entropy(network.forward(batch.input), batch.labels).loss.backward();
      inside += seconds_since(start);
      if (method == nullptr) continue;
      const torch::NoGradGuard no_gradient;
      start = Clock::now();
      method->after_backward(at, pass);
      outside += seconds_since(start);
    }
    const torch::NoGradGuard no_gradient;
    const auto start = Clock::now();
    optimizer->step(kRate);
    outside += seconds_since(start);
  }
  return outside / (inside + outside);
}

void print_overhead(const char* what, bool with_method, bool extragradient) {
  std::vector<double> shares;
  for (int run = 0; run < 5; ++run) {
    const auto method =
        with_method ? make_admm({.rho = 1e-3, .extragradient = extragradient}) : nullptr;
    shares.push_back(100.0 * overhead_share(method.get()));
  }
  const auto [least, most] = std::minmax_element(shares.begin(), shares.end());
  std::printf("lenet300 batch 256, %s: %.2f%% (%.2f%% to %.2f%%) of a step is not the network's\n",
              what,
              median(shares),
              *least,
              *most);
}

void print_overheads() {
  configure_process(0);
  print_overhead("no method", false, false);
  print_overhead("admm in one pass", true, false);
  print_overhead("admm with extragradient", true, true);
}

}  // namespace
}  // namespace lastbit

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "5";
  if (mode == "--ours" || mode == "--overhead") lastbit::ensure_passive_waiting(argv);
  if (mode == "--ours") {
    std::printf("%f\n", lastbit::run_ours());
  } else if (mode == "--plain") {
    std::printf("%f\n", lastbit::run_plain());
  } else if (mode == "--overhead") {
    lastbit::print_overheads();
  } else if (const int pairs = std::atoi(mode.c_str()); pairs > 0) {
    lastbit::compare_loops(argv[0], pairs);
    return std::system(("'" + std::string(argv[0]) + "' --overhead").c_str()) == 0 ? 0 : 1;
  } else {
    std::cerr << "usage: bench_training [PAIRS]\n";
    return 2;
  }
  return 0;
}
