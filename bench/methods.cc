// What each method costs beyond forward, backward and the optimizer, as a share of an epoch of
// LeNet5 without a method, 469 steps of 128 images as MNIST has them, one round an epoch:
//
//     bench_methods [PAIRS [SET...]]
//
// Hooks are timed inside the trainer's loop, by a method that passes every call on to the one that
// is measured. Runs with the method and without one take turns, so that both see the same load; the
// medians of their steps count. A further forward and backward pass in each step, and the losses
// that the trainer measures after each round, are told apart.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/data/digits.h"
#include "lastbit/method/registry.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/startup.h"
#include "lastbit/train/trainer.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {
namespace {

constexpr std::int64_t kBatch = 128;
constexpr std::int64_t kSteps = 16;  // of an epoch here
constexpr std::int64_t kEpochs = 3;  // the first warms up
constexpr double kStepsOfMnist = 469.0;

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0.0 : values[values.size() / 2];
}

/// Microseconds.
struct Costs {
  std::vector<double> steps;
  std::vector<double> rounds;
  std::vector<double> probes;
};

/// Passes all calls on, and notes how long they took.
class Timed final : public Method {
 public:
  Timed(std::unique_ptr<Method> method, Costs& costs) : method_(std::move(method)), costs_(costs) {}

  std::string_view name() const noexcept override { return method_->name(); }
  void begin(Weights weights) override { method_->begin(std::move(weights)); }
  double learning_rate(const Progress& at, double scheduled) const override {
    return method_->learning_rate(at, scheduled);
  }
  int passes() const noexcept override { return method_->passes(); }
  void before_forward(const Progress& at, int pass) override {
    add([&] { method_->before_forward(at, pass); });
  }
  void after_backward(const Progress& at, int pass) override {
    add([&] { method_->after_backward(at, pass); });
  }
  void after_step(const Progress& at) override {
    add([&] { method_->after_step(at); });
    if (at.epoch > 0) costs_.steps.push_back(step_);
    step_ = 0.0;
  }
  Residuals end_round(const Progress& at) override {
    const auto start = Clock::now();
    Residuals residuals = method_->end_round(at);
    if (at.epoch > 0) costs_.rounds.push_back(microseconds_since(start));
    round_end_ = Clock::now();
    return residuals;
  }
  bool restarts_optimizer() const noexcept override { return method_->restarts_optimizer(); }
  torch::Tensor seen(const Progress& at) const override { return method_->seen(at); }
  const std::vector<Quantized>& deployed() const noexcept override { return method_->deployed(); }
  std::map<std::string, torch::Tensor> state() const override { return method_->state(); }
  void load(const std::map<std::string, torch::Tensor>& state) override { method_->load(state); }

  /// For the trainer's report of a round, which follows its measurements.
  void reported(const Progress& at) {
    if (at.epoch > 0) costs_.probes.push_back(microseconds_since(round_end_));
  }

 private:
  template <typename Hook>
  void add(const Hook& hook) {
    const auto start = Clock::now();
    hook();
    step_ += microseconds_since(start);
  }

  std::unique_ptr<Method> method_;
  Costs& costs_;
  double step_ = 0.0;  // so far
  Clock::time_point round_end_;
};

struct Bench {
  Dataset data;
  Graph graph = make_network("lenet5", {.center = "none", .seed = 1});

  /// Microseconds a step, of each epoch but the first.
  std::vector<double> run(const std::string& set, Timed* method) const {
    std::vector<Constraint> constraints;
    if (method != nullptr) constraints = choose_codebooks(graph, std::vector<std::string>{set});
    Network network(graph, constraints);
    const SampleBatches train(data.train, network.sample_shape(), torch::kCPU);
    const SampleBatches test(data.test, network.sample_shape(), torch::kCPU);
    const TrainerOptions options{.epochs = kEpochs, .batch = kBatch, .learning_rate = 1e-3};
    Trainer trainer(network, train, test, options, method);
    std::vector<double> steps;
    Observer observer;
    observer.epoch = [&](const EpochReport& report) {
      if (report.epoch > 1) steps.push_back(1e6 * report.seconds / static_cast<double>(kSteps));
    };
    if (method != nullptr) {
      observer.round = [&](const RoundReport& report) { method->reported(report.at); };
    }
    trainer.run(observer);
    return steps;
  }
};

struct Case {
  std::string label;
  std::string method;
  std::map<std::string, std::string> options = {};
};

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const MethodInfo& info : methods()) {
    if (!info.trains) continue;
    const std::string name(info.name);
    result.push_back({name, name});
    if (name == "admm")
      result.push_back({"admm, extragradient", name, {{"extragradient", "true"}}});
  }
  return result;
}

void measure(const Bench& bench, const Case& one, const std::string& set, int pairs) {
  Costs costs;
  std::vector<double> plain;
  int passes = 1;
  for (int pair = 0; pair < pairs; ++pair) {
    Timed method(make_method(find_method(one.method), one.options), costs);
    try {
      bench.run(set, &method);
    } catch (const InputError&) {
      return;  // not a set for this method
    }
    passes = method.passes();
    const std::vector<double> steps = bench.run(set, nullptr);
    plain.insert(plain.end(), steps.begin(), steps.end());
  }
  const double step = median(plain);
  const double hooks = median(costs.steps);
  const double round = median(costs.rounds);
  const double share = 100.0 * (hooks + round / kStepsOfMnist) / step;
  std::printf("| %s | %s | %.0f | %.0f | %.1f | %.2f%% | %d | %.0f |\n",
              one.label.c_str(),
              set.c_str(),
              step,
              hooks,
              1e-3 * round,
              share,
              passes,
              1e-3 * median(costs.probes));
  std::fflush(stdout);
}

void run(int pairs, const std::vector<std::string>& sets) {
  configure_process(0);
  const Bench bench{make_digits({.seed = 0, .train = kSteps * kBatch, .test = 10}, 0)};
  std::printf(
      "| method | set | plain step, us | hooks a step, us | round, ms | share | passes | probe, ms "
      "|\n");
  std::printf("|---|---|---|---|---|---|---|---|\n");
  for (const Case& one : cases()) {
    for (const std::string& set : sets) measure(bench, one, set, pairs);
  }
}

}  // namespace
}  // namespace lastbit

int main(int argc, char** argv) {
  lastbit::ensure_passive_waiting(argv);
  const int pairs = argc > 1 ? std::atoi(argv[1]) : 3;
  std::vector<std::string> sets(argv + std::min(argc, 2), argv + argc);
  if (sets.empty()) sets = {"binary", "ternary", "shift:2"};
  if (pairs < 1) {
    std::fprintf(stderr, "usage: bench_methods [PAIRS [SET...]]\n");
    return 2;
  }
  lastbit::run(pairs, sets);
  return 0;
}
