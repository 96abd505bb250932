// Speed of training a language model of two recurrent layers, as a ratio that means the same on
// every machine: seconds of our steps over those of a plain LibTorch loop of the same network, as a
// user would write it with torch::nn and torch::optim. Both clip gradients and carry the state.
//
//     bench_language_training [cell=lstm|gru] [units=200] [words=10000] [batch=20] [length=35]
//                             [steps=10] [pairs=5] [threads=0] [device=cpu|cuda]
//
// Both run in one process, some steps each in turn, so that both see the same load. First, both
// must compute the same loss for the same weights.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <torch/nn.h>
#include <torch/optim.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/train/gradient_clip.h"
#include "lastbit/train/network.h"
#include "lastbit/train/startup.h"

namespace lastbit {
namespace {

namespace nn = torch::nn;
using Tensors = std::vector<torch::Tensor>;

constexpr double kRate = 1.0;
constexpr double kClip = 5.0;

struct Choice {
  std::string cell = "lstm";
  std::string device = "cpu";
  std::map<std::string, std::int64_t> numbers = {{"units", 200},
                                                 {"words", 10000},
                                                 {"batch", 20},
                                                 {"length", 35},
                                                 {"steps", 10},
                                                 {"pairs", 5},
                                                 {"threads", 0}};

  std::int64_t operator[](const std::string& name) const { return numbers.at(name); }
  bool lstm() const { return cell == "lstm"; }
  std::size_t states() const { return lstm() ? 4 : 2; }  // two layers
};

Choice choice_of(const std::vector<std::string>& words) {
  Choice choice;
  for (const std::string& word : words) {
    const std::size_t at = word.find('=');
    const std::string key = word.substr(0, at);
    const std::string value = at == std::string::npos ? "" : word.substr(at + 1);
    char* end = nullptr;
    const long long number = std::strtoll(value.c_str(), &end, 10);
    if (key == "cell" && (value == "lstm" || value == "gru")) {
      choice.cell = value;
    } else if (key == "device" && (value == "cpu" || value == "cuda")) {
      choice.device = value;
    } else if (choice.numbers.contains(key) && !value.empty() && *end == '\0' && number >= 0) {
      choice.numbers[key] = number;
    } else {
      throw InputError("'" + word + "' is not understood; the usage is at the top of " __FILE__);
    }
  }
  return choice;
}

void add_weights(Graph& graph, const std::string& name, const Shape& shape, Random& random) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = static_cast<float>(random.uniform(-0.1, 0.1));
  graph.initializers.insert_or_assign(name, Tensor::floats(shape, values));
}

// Tokens and states to logits and states, as the language models of the zoo.
Graph model(const Choice& choice) {
  Random random(1);
  const std::int64_t units = choice["units"];
  const std::int64_t gates = choice.lstm() ? 4 : 3;
  Graph graph;
  const Dim steps{-1, "steps"};
  const Dim batch{-1, "batch"};
  graph.inputs = {{"tokens", DType::kInt64, {steps, batch}}};
  graph.initializers.emplace("axis", Tensor::int64s({1}, std::vector<std::int64_t>{1}));
  add_weights(graph, "embedding", {choice["words"], units}, random);
  graph.nodes.push_back({"embedding", "Gather", "", {"embedding", "tokens"}, {"x0"}, {}});
  std::vector<Value> states;
  for (const std::string n : {"1", "2"}) {
    Node node{"layer" + n, choice.lstm() ? "LSTM" : "GRU", "", {}, {}, {}};
    node.inputs = {n == "1" ? "x0" : "x1", "w" + n, "r" + n, "b" + n, "", "hidden_" + n};
    node.outputs = {"y" + n, "next_hidden_" + n};
    if (choice.lstm()) {
      node.inputs.push_back("cell_" + n);
      node.outputs.push_back("next_cell_" + n);
    } else {
      node.attributes["linear_before_reset"] = std::int64_t{1};
    }
    for (std::size_t i = 5; i < node.inputs.size(); ++i) {
      graph.inputs.push_back({node.inputs[i], DType::kFloat, {{1, ""}, batch, {units, ""}}});
      states.push_back({node.outputs[i - 4], DType::kFloat, {{1, ""}, batch, {units, ""}}});
    }
    for (const std::string matrix : {"w", "r"}) {
      add_weights(graph, matrix + n, {1, gates * units, units}, random);
    }
    add_weights(graph, "b" + n, {1, 2 * gates * units}, random);
    graph.nodes.push_back(std::move(node));
    graph.nodes.push_back({"squeeze" + n, "Squeeze", "", {"y" + n, "axis"}, {"x" + n}, {}});
  }
  add_weights(graph, "softmax", {units, choice["words"]}, random);
  add_weights(graph, "softmax.bias", {choice["words"]}, random);
  graph.nodes.push_back({"softmax", "MatMul", "", {"x2", "softmax"}, {"product"}, {}});
  graph.nodes.push_back({"bias", "Add", "", {"product", "softmax.bias"}, {"logits"}, {}});
  graph.outputs = {{"logits", DType::kFloat, {steps, batch, {choice["words"], ""}}}};
  graph.outputs.insert(graph.outputs.end(), states.begin(), states.end());
  return graph;
}

torch::Tensor loss_of(const torch::Tensor& logits, const torch::Tensor& labels) {
  return nn::functional::cross_entropy(logits.reshape({-1, logits.size(-1)}), labels.reshape({-1}));
}

class Ours {
 public:
  Ours(const Graph& graph, const Choice& choice)
      : network_(graph, {}, choice.device, names(graph)) {
    const auto options = torch::TensorOptions(torch::kFloat32).device(choice.device);
    states_.assign(choice.states(), torch::zeros({1, choice["batch"], choice["units"]}, options));
  }
  torch::Tensor loss(const torch::Tensor& tokens, const torch::Tensor& labels) {
    Tensors inputs = {tokens};
    inputs.insert(inputs.end(), states_.begin(), states_.end());
    const Tensors values = network_.compute(inputs);
    for (std::size_t i = 0; i < states_.size(); ++i) states_[i] = values[i + 1].detach();
    return loss_of(values[0], labels);
  }
  void step(const torch::Tensor& tokens, const torch::Tensor& labels) {
    network_.gradients().zero_();
    loss(tokens, labels).backward();
    const torch::NoGradGuard no_gradient;
    clip_gradient(network_.gradients(), kClip);
    torch::Tensor(network_.parameters()).sub_(network_.gradients(), kRate);
  }

 private:
  static std::vector<std::string> names(const Graph& graph) {
    std::vector<std::string> result;
    for (const Value& output : graph.outputs) result.push_back(output.name);
    return result;
  }
  Network network_;
  Tensors states_;
};

torch::Tensor values_of(const Graph& graph, const std::string& name) {
  const Tensor tensor = decode(*graph.find_initializer(name));
  const auto floats = tensor.as_floats();
  return torch::tensor(std::vector<float>(floats.begin(), floats.end())).view(tensor.shape());
}

// Rows with ONNX's order of gates in LibTorch's.
torch::Tensor reordered(const torch::Tensor& rows, bool lstm) {
  const Tensors gates = rows.chunk(lstm ? 4 : 3);
  return lstm ? torch::cat({gates[0], gates[2], gates[3], gates[1]})
              : torch::cat({gates[1], gates[0], gates[2]});
}

class Plain {
 public:
  Plain(const Graph& graph, const Choice& choice)
      : lstm_(nn::LSTMOptions(choice["units"], choice["units"]).num_layers(2)),
        gru_(nn::GRUOptions(choice["units"], choice["units"]).num_layers(2)),
        embedding_(choice["words"], choice["units"]),
        softmax_(choice["units"], choice["words"]),
        is_lstm_(choice.lstm()) {
    const auto recurrent = is_lstm_ ? lstm_->named_parameters() : gru_->named_parameters();
    const torch::NoGradGuard no_gradient;
    embedding_->weight.copy_(values_of(graph, "embedding"));
    softmax_->weight.copy_(values_of(graph, "softmax").t());
    softmax_->bias.copy_(values_of(graph, "softmax.bias"));
    for (const std::string n : {"1", "2"}) {
      const std::string layer = n == "1" ? "_l0" : "_l1";
      const Tensors biases = values_of(graph, "b" + n)[0].chunk(2);
      recurrent["weight_ih" + layer].copy_(reordered(values_of(graph, "w" + n)[0], is_lstm_));
      recurrent["weight_hh" + layer].copy_(reordered(values_of(graph, "r" + n)[0], is_lstm_));
      recurrent["bias_ih" + layer].copy_(reordered(biases[0], is_lstm_));
      recurrent["bias_hh" + layer].copy_(reordered(biases[1], is_lstm_));
    }
    for (const auto& module : Modules{lstm_.ptr(), gru_.ptr(), embedding_.ptr(), softmax_.ptr()}) {
      module->to(torch::Device(choice.device));
    }
    parameters_ = is_lstm_ ? lstm_->parameters() : gru_->parameters();
    for (const auto& parameter : {embedding_->weight, softmax_->weight, softmax_->bias}) {
      parameters_.push_back(parameter);
    }
    optimizer_ = std::make_unique<torch::optim::SGD>(parameters_, torch::optim::SGDOptions(kRate));
    hidden_ = torch::zeros({2, choice["batch"], choice["units"]}, embedding_->weight.options());
    cell_ = hidden_;
  }
  torch::Tensor loss(const torch::Tensor& tokens, const torch::Tensor& labels) {
    const torch::Tensor x = embedding_(tokens);
    torch::Tensor y;
    if (is_lstm_) {
      auto [output, states] = lstm_(x, std::tuple(hidden_, cell_));
      y = output;
      hidden_ = std::get<0>(states).detach();
      cell_ = std::get<1>(states).detach();
    } else {
      auto [output, state] = gru_(x, hidden_);
      y = output;
      hidden_ = state.detach();
    }
    return loss_of(softmax_(y), labels);
  }
  void step(const torch::Tensor& tokens, const torch::Tensor& labels) {
    optimizer_->zero_grad();
    loss(tokens, labels).backward();
    nn::utils::clip_grad_norm_(parameters_, kClip);
    optimizer_->step();
  }

 private:
  using Modules = std::vector<std::shared_ptr<nn::Module>>;
  nn::LSTM lstm_;
  nn::GRU gru_;
  nn::Embedding embedding_;
  nn::Linear softmax_;
  bool is_lstm_;
  Tensors parameters_;
  std::unique_ptr<torch::optim::SGD> optimizer_;
  torch::Tensor hidden_;
  torch::Tensor cell_;
};

template <typename Loop>
double seconds_of(Loop& loop, const Choice& choice, const Tensors& text) {
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t step = 0; step < choice["steps"]; ++step) loop.step(text[0], text[1]);
  // Waits for a GPU too.
  const torch::NoGradGuard no_gradient;
  if (!std::isfinite(
          loop.loss(text[0].narrow(0, 0, 1), text[1].narrow(0, 0, 1)).template item<double>())) {
    throw WorkError("a loop diverged");
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void run(const Choice& choice) {
  configure_process(static_cast<int>(choice["threads"]));
  torch::manual_seed(1);
  const Graph graph = model(choice);
  const Shape shape = {choice["length"], choice["batch"]};
  const Tensors text = {torch::randint(choice["words"], shape, torch::kInt64).to(choice.device),
                        torch::randint(choice["words"], shape, torch::kInt64).to(choice.device)};
  Ours ours(graph, choice);
  Plain plain(graph, choice);
  {
    const torch::NoGradGuard no_gradient;
    const auto a = ours.loss(text[0], text[1]).item<double>();
    const auto b = plain.loss(text[0], text[1]).item<double>();
    std::printf("loss of the same weights: ours %.6f, plain %.6f\n", a, b);
    if (!(std::abs(a - b) <= 1e-3)) throw WorkError("the networks differ");
  }
  seconds_of(ours, choice, text);
  seconds_of(plain, choice, text);
  std::vector<double> ratios;
  std::vector<double> ours_seconds;
  std::vector<double> plain_seconds;
  for (std::int64_t pair = 0; pair < choice["pairs"]; ++pair) {
    ours_seconds.push_back(seconds_of(ours, choice, text));
    plain_seconds.push_back(seconds_of(plain, choice, text));
    ratios.push_back(ours_seconds.back() / plain_seconds.back());
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  const double all = 1000.0 / static_cast<double>(choice["steps"]);
  std::printf(
      "%s of %lld units on %s: ours %.1f, plain %.1f ms a step; ratio %.3f (%.3f to %.3f)\n",
      choice.cell.c_str(),
      static_cast<long long>(choice["units"]),
      choice.device.c_str(),
      median(ours_seconds) * all,
      median(plain_seconds) * all,
      median(ratios),
      *least,
      *most);
}

}  // namespace
}  // namespace lastbit

int main(int argc, char** argv) {
  lastbit::ensure_passive_waiting(argv);
  try {
    lastbit::run(lastbit::choice_of({argv + 1, argv + argc}));
  } catch (const lastbit::InputError& error) {
    std::cerr << "bench_language_training: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "bench_language_training: " << error.what() << "\n";
    return 1;
  }
}
