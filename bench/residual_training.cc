// Speed of training residual networks on images of CIFAR's shape, as a ratio that means the same on
// every machine: seconds of our trainer over those of a plain LibTorch loop of the same network, as
// a user would write it with torch::nn, torch::optim and nothing else, in float32.
//
//     bench_residual_training [net=resnet20|resnet18] [device=cpu|cuda]
//     [precision=float32|tf32|bf16]
//                             [batch=128] [steps=8] [pairs=5] [threads=0] [contiguous] [ours]
//
// Both run in one process, with the same threads and settings, an epoch each in turn, so that both
// see the same load. First, both must compute the same loss for the same weights. With "ours" only
// our images a second are printed, for bench/pytorch_loop.py.

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

#include <torch/cuda.h>
#include <torch/nn.h>
#include <torch/optim.h>

#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/train/sample_batches.h"
#include "lastbit/train/startup.h"
#include "lastbit/train/trainer.h"
#include "lastbit/zoo/zoo.h"

namespace lastbit {
namespace {

namespace nn = torch::nn;

constexpr double kRate = 0.01;
constexpr double kMomentum = 0.9;
constexpr double kDecay = 5e-4;

struct Choice {
  std::string net = "resnet20";
  std::string device = "cpu";
  std::string precision = "float32";
  std::int64_t batch = 128;
  std::int64_t steps = 8;
  std::int64_t pairs = 5;
  int threads = 0;
  bool contiguous = false;
  bool ours = false;
};

std::int64_t number_of(const std::string& word, const std::string& text) {
  char* end = nullptr;
  const long long value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < 0) {
    throw InputError("'" + word + "' is not understood, expected a number in it");
  }
  return value;
}

Choice choice_of(const std::vector<std::string>& words) {
  Choice choice;
  for (const std::string& word : words) {
    const std::size_t at = word.find('=');
    const std::string key = word.substr(0, at);
    const std::string value = at == std::string::npos ? "" : word.substr(at + 1);
    if (word == "contiguous") {
      choice.contiguous = true;
    } else if (word == "ours") {
      choice.ours = true;
    } else if (key == "net" && (value == "resnet20" || value == "resnet18")) {
      choice.net = value;
    } else if (key == "device" && (value == "cpu" || value == "cuda")) {
      choice.device = value;
    } else if (key == "precision") {
      choice.precision = value;
    } else if (key == "batch") {
      choice.batch = number_of(word, value);
    } else if (key == "steps") {
      choice.steps = number_of(word, value);
    } else if (key == "pairs") {
      choice.pairs = number_of(word, value);
    } else if (key == "threads") {
      choice.threads = static_cast<int>(number_of(word, value));
    } else {
      throw InputError("'" + word + "' is not understood; the usage is at the top of " __FILE__);
    }
  }
  return choice;
}

// Noise in CIFAR-10's shape: speed does not depend on what images show.
class Noise final : public DatasetSource {
 public:
  explicit Noise(std::int64_t size) {
    Random random(1);
    bytes_.resize(static_cast<std::size_t>(size * element_count(shape_)));
    for (std::uint8_t& byte : bytes_) byte = static_cast<std::uint8_t>(random.below(256));
    for (std::int64_t i = 0; i < size; ++i) labels_.push_back(static_cast<std::int32_t>(i % 10));
  }
  std::int64_t size() const noexcept override { return static_cast<std::int64_t>(labels_.size()); }
  std::span<const std::int64_t> sample_shape() const noexcept override { return shape_; }
  std::int64_t classes() const noexcept override { return 10; }
  std::span<const std::int32_t> labels() const noexcept override { return labels_; }
  std::span<const std::uint8_t> bytes() const noexcept override { return bytes_; }
  void gather(std::span<const std::int64_t> indices, std::span<float> out) const override {
    const auto step = static_cast<std::size_t>(element_count(shape_));
    auto to = out.begin();
    for (const std::int64_t index : indices) {
      const auto* from = bytes_.data() + static_cast<std::size_t>(index) * step;
      to = std::transform(from, from + step, to, [](auto byte) { return float(byte) / 255.0F; });
    }
  }

 private:
  Shape shape_ = {3, 32, 32};
  std::vector<std::uint8_t> bytes_;
  std::vector<std::int32_t> labels_;
};

nn::Conv2d convolution(std::int64_t in,
                       std::int64_t out,
                       std::int64_t kernel,
                       std::int64_t stride) {
  return nn::Conv2d(
      nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

struct BlockImpl : nn::Module {
  BlockImpl(std::int64_t in, std::int64_t out, std::int64_t stride) {
    conv1 = register_module("conv1", convolution(in, out, 3, stride));
    bn1 = register_module("bn1", nn::BatchNorm2d(out));
    conv2 = register_module("conv2", convolution(out, out, 3, 1));
    bn2 = register_module("bn2", nn::BatchNorm2d(out));
    if (stride == 1 && in == out) return;
    shortcut = register_module("shortcut", convolution(in, out, 1, stride));
    shortcut_bn = register_module("shortcut_bn", nn::BatchNorm2d(out));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    torch::Tensor y = bn2(conv2(torch::relu(bn1(conv1(x)))));
    return torch::relu(y + (shortcut ? shortcut_bn(shortcut(x)) : x));
  }
  nn::Conv2d conv1{nullptr}, conv2{nullptr}, shortcut{nullptr};
  nn::BatchNorm2d bn1{nullptr}, bn2{nullptr}, shortcut_bn{nullptr};
};
TORCH_MODULE(Block);

// ResNet-20 for CIFAR, or ResNet-18 with CIFAR's stem.
struct PlainImpl : nn::Module {
  explicit PlainImpl(bool is_resnet18) {
    const std::vector<std::int64_t> widths = is_resnet18
                                                 ? std::vector<std::int64_t>{64, 128, 256, 512}
                                                 : std::vector<std::int64_t>{16, 32, 64};
    const int depth = is_resnet18 ? 2 : 3;
    std::int64_t channels = widths.front();
    conv1 = register_module("conv1", convolution(3, channels, 3, 1));
    bn1 = register_module("bn1", nn::BatchNorm2d(channels));
    for (std::size_t stage = 0; stage < widths.size(); ++stage) {
      for (int block = 0; block < depth; ++block) {
        blocks.push_back(register_module(
            "stage" + std::to_string(stage + 1) + "_block" + std::to_string(block + 1),
            Block(channels, widths[stage], stage > 0 && block == 0 ? 2 : 1)));
        channels = widths[stage];
      }
    }
    fc = register_module("fc", nn::Linear(channels, 10));
  }
  torch::Tensor forward(torch::Tensor x) {
    x = torch::relu(bn1(conv1(x)));
    for (Block& block : blocks) x = block(x);
    return fc(torch::flatten(torch::adaptive_avg_pool2d(x, {1, 1}), 1));
  }
  nn::Conv2d conv1{nullptr};
  nn::BatchNorm2d bn1{nullptr};
  std::vector<Block> blocks;
  nn::Linear fc{nullptr};
};
TORCH_MODULE(Plain);

// The plain loop, with the weights of `graph`.
class PlainLoop {
 public:
  PlainLoop(const Graph& graph, const Choice& choice, const Batch& samples)
      : network_(choice.net == "resnet18"), samples_(samples), batch_(choice.batch) {
    const torch::NoGradGuard no_gradient;
    for (const auto& parameter : network_->named_parameters()) {
      std::string name = parameter.key();
      if (const auto at = name.find("_block"); at != std::string::npos) name[at] = '.';
      const Tensor value = decode(*graph.find_initializer(name));
      const auto floats = value.as_floats();
      parameter.value().copy_(
          torch::tensor(std::vector<float>(floats.begin(), floats.end())).view(value.shape()));
    }
    network_->to(samples.input.device());
    optimizer_ = std::make_unique<torch::optim::SGD>(
        network_->parameters(),
        torch::optim::SGDOptions(kRate).momentum(kMomentum).nesterov(true).weight_decay(kDecay));
  }

  // In training, as what a first step sees.
  double loss(std::int64_t samples) {
    return nn::functional::cross_entropy(network_->forward(samples_.input.narrow(0, 0, samples)),
                                         samples_.labels.narrow(0, 0, samples))
        .item<double>();
  }

  // @return seconds of an epoch.
  double epoch() {
    const auto start = std::chrono::steady_clock::now();
    const std::int64_t size = samples_.labels.size(0);
    const torch::Tensor order = torch::randperm(size, torch::kInt64).to(samples_.labels.device());
    torch::Tensor loss_sum = torch::zeros({}, samples_.input.options());
    for (std::int64_t begin = 0; begin < size; begin += batch_) {
      const torch::Tensor batch = order.narrow(0, begin, batch_);
      optimizer_->zero_grad();
      const torch::Tensor loss =
          nn::functional::cross_entropy(network_->forward(samples_.input.index_select(0, batch)),
                                        samples_.labels.index_select(0, batch));
      loss.backward();
      optimizer_->step();
      loss_sum += loss.detach();
    }
    if (!std::isfinite(loss_sum.item<double>())) throw WorkError("the plain loop diverged");
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  Plain network_;
  Batch samples_;
  std::int64_t batch_;
  std::unique_ptr<torch::optim::SGD> optimizer_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void check_equal_losses(const Graph& graph, const Choice& choice, const Batch& samples) {
  const torch::NoGradGuard no_gradient;
  Network network(graph, {}, samples.input.device());
  const std::int64_t count = std::min<std::int64_t>(choice.batch, 64);
  const double ours = cross_entropy(network.forward(samples.input.narrow(0, 0, count)),
                                    samples.labels.narrow(0, 0, count))
                          .loss.item<double>();
  const double plain = PlainLoop(graph, choice, samples).loss(count);
  std::printf("loss of the same weights: ours %.6f, plain %.6f\n", ours, plain);
  if (!(std::abs(ours - plain) <= 1e-3)) throw WorkError("the networks differ");
}

void run(const Choice& choice) {
  if (choice.device == "cuda" && !torch::cuda::is_available()) {
    throw InputError("this LibTorch finds no CUDA device");
  }
  const Precision precision = parse_precision(choice.precision);
  const torch::Device device(choice.device);
  configure_process(choice.threads);
  const Graph graph = make_network(choice.net, {.input = {3, 32, 32}, .center = "none", .seed = 1});
  const auto source = std::make_shared<Noise>(choice.steps * choice.batch);
  const SampleBatches train(source, {3, 32, 32}, device);
  const SampleBatches test(std::make_shared<Noise>(10), {3, 32, 32}, device);
  Network network(graph, {}, device);
  if (choice.contiguous) network.set_channels_last(false);

  std::unique_ptr<PlainLoop> plain;
  if (!choice.ours) {
    const Batch samples = train.gather(shuffled_order(train.size(), 0, 0));
    check_equal_losses(graph, choice, samples);
    plain = std::make_unique<PlainLoop>(graph, choice, samples);
    plain->epoch();  // warms up, as our first does
  }
  const double images = static_cast<double>(train.size());
  std::vector<double> ours_seconds;
  std::vector<double> plain_seconds;
  std::vector<double> ratios;
  Observer observer;
  observer.epoch = [&](const EpochReport& report) {
    if (report.epoch == 1) return;
    ours_seconds.push_back(report.seconds);
    if (plain == nullptr) return;
    plain_seconds.push_back(plain->epoch());
    ratios.push_back(ours_seconds.back() / plain_seconds.back());
    std::printf("pair %d: ours %.1f, plain %.1f images/s, ratio of times %.3f\n",
                static_cast<int>(ratios.size()),
                images / ours_seconds.back(),
                images / plain_seconds.back(),
                ratios.back());
    std::fflush(stdout);
  };
  Trainer(network,
          train,
          test,
          {.epochs = choice.pairs + 1,
           .batch = choice.batch,
           .learning_rate = kRate,
           .optimizer = {.momentum = kMomentum, .nesterov = true, .weight_decay = kDecay},
           .precision = precision})
      .run(observer);
  if (plain == nullptr) {
    std::printf("%.1f\n", images / median(ours_seconds));
    return;
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  std::printf(
      "%s batch %lld on %s, %s: ours %.1f, plain %.1f images/s; "
      "ratio of times %.3f (%.3f to %.3f)\n",
      choice.net.c_str(),
      static_cast<long long>(choice.batch),
      choice.device.c_str(),
      choice.precision.c_str(),
      images / median(ours_seconds),
      images / median(plain_seconds),
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
    std::cerr << "bench_residual_training: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "bench_residual_training: " << error.what() << "\n";
    return 1;
  }
}
