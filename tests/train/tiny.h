#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/base/text.h"
#include "lastbit/train/sample_batches.h"
#include "support.h"

namespace lastbit {

inline Graph tiny_graph(std::int64_t classes = 2) {
  return make_network(
      "mlp",
      {.input = {4}, .classes = classes, .hidden = {8}, .activation = "tanh", .center = "none"});
}

// Ten samples of four numbers in two classes, on a network that fits.
struct Tiny {
  explicit Tiny(const std::string& rule = "ternary")
      : graph(tiny_graph()),
        network(graph, constraints(graph, rule)),
        data(std::make_shared<RandomSamples>(10, Shape{4}, 2), {4}, torch::kCPU) {}

  Graph graph;
  Network network;
  SampleBatches data;
};

// Writes down which hooks are called, with what it is told.
class Recorder final : public Method {
 public:
  explicit Recorder(int passes) : passes_(passes) {}

  std::string_view name() const noexcept override { return "recorder"; }
  void begin(Weights weights) override {
    note("begin");
    weights_ = weights;
    low_bit_ = project(weights.layers, weights.value);
  }
  double learning_rate(const Progress& at, double scheduled) const override {
    return at.step == 1 ? scheduled / 4.0 : scheduled;
  }
  bool restarts_optimizer() const noexcept override { return true; }
  int passes() const noexcept override { return passes_; }
  void before_forward(const Progress& at, int pass) override { note("before", at, pass); }
  void after_backward(const Progress& at, int pass) override { note("after", at, pass); }
  void after_step(const Progress& at) override { note(cat("step ", at.step)); }
  Residuals end_round(const Progress& at) override {
    note(cat("round ", at.round, " of ", at.total_rounds, " at step ", at.step));
    return {.primal = static_cast<double>(at.step)};
  }
  const std::vector<Quantized>& deployed() const noexcept override { return low_bit_; }
  torch::Tensor seen(const Progress& /*at*/) const override { return weights_.value; }
  std::map<std::string, torch::Tensor> state() const override { return {}; }
  void load(const std::map<std::string, torch::Tensor>& /*state*/) override {}

  const std::vector<std::string>& notes() const { return notes_; }
  // The notes of ends of rounds alone.
  std::vector<std::string> rounds() const {
    std::vector<std::string> result;
    for (const std::string& text : notes_) {
      if (text.starts_with("round")) result.push_back(text);
    }
    return result;
  }

 private:
  void note(const std::string& text) {
    notes_.push_back(text);
    EXPECT_FALSE(torch::GradMode::is_enabled()) << text;
  }
  void note(const char* hook, const Progress& at, int pass) {
    note(cat(hook, " ", pass, ": step ", at.step, "/", at.total_steps, " epoch ", at.epoch));
  }

  int passes_;
  Weights weights_;
  std::vector<Quantized> low_bit_;
  std::vector<std::string> notes_;
};

}  // namespace lastbit
