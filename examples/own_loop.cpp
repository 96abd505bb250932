// A module and a training loop of one's own, squeezed to ternary weights. Three spirals in a plane,
// drawn here, so that it runs anywhere within seconds. docs/own-loop.md explains it.

#include <cmath>
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>

#include <torch/torch.h>

#include "lastbit/method/registry.h"
#include "lastbit/method/squeezer.h"
#include "lastbit/safetensors/low_bit.h"

namespace {

constexpr std::int64_t kArms = 3;
constexpr std::int64_t kBatch = 64;
constexpr std::int64_t kSteps = 2000;

struct Spirals {
  torch::Tensor points;  // (samples, 2)
  torch::Tensor arms;    // (samples) int64
};

Spirals draw(std::int64_t samples) {
  const torch::Tensor arms = torch::randint(kArms, {samples}, torch::kInt64);
  const torch::Tensor radius = torch::rand({samples}) + 0.1;
  const torch::Tensor angle =
      4.0 * radius + arms * (2.0 * M_PI / kArms) + 0.4 * torch::randn({samples});
  return {torch::stack({radius * angle.cos(), radius * angle.sin()}, 1), arms};
}

struct Net : torch::nn::Module {
  Net() {
    first = register_module("first", torch::nn::Linear(2, 64));
    second = register_module("second", torch::nn::Linear(64, 64));
    norm = register_module("norm", torch::nn::BatchNorm1d(64));
    last = register_module("last", torch::nn::Linear(64, kArms));
  }

  torch::Tensor forward(const torch::Tensor& points) {
    const torch::Tensor hidden = torch::relu(first(points));
    return last(torch::relu(norm(second(hidden))));
  }

  torch::nn::Linear first{nullptr}, second{nullptr}, last{nullptr};
  torch::nn::BatchNorm1d norm{nullptr};
};

double error_percent(Net& net, const Spirals& test) {
  const torch::NoGradGuard no_gradient;
  net.eval();
  const torch::Tensor missed = net.forward(test.points).argmax(1) != test.arms;
  net.train();
  return 100.0 * missed.to(torch::kFloat64).mean().item<double>();
}

Spirals batch_of(const Spirals& train) {
  const torch::Tensor picked = torch::randint(train.arms.size(0), {kBatch}, torch::kInt64);
  return {train.points.index_select(0, picked), train.arms.index_select(0, picked)};
}

torch::Tensor loss_on(Net& net, const Spirals& batch) {
  return torch::nn::functional::cross_entropy(net.forward(batch.points), batch.arms);
}

// The codes, codebooks and scales of the low-bit weights, and all else as it is.
lastbit::LowBitWeights packed(Net& net, const lastbit::Squeezer& squeezer) {
  lastbit::LowBitWeights file;
  for (std::size_t i = 0; i < squeezer.parameters().size(); ++i) {
    const lastbit::LowBitParameter& weight = squeezer.parameters()[i];
    file.low_bit.emplace(weight.name,
                         lastbit::pack_lowbit(squeezer.deployed()[i],
                                              weight.value.sizes().vec(),
                                              weight.channel_axis,
                                              weight.set->name()));
  }
  const auto add = [&](const std::string& name, const torch::Tensor& value) {
    if (file.low_bit.contains(name)) return;
    const torch::Tensor floats = value.detach().to(torch::kCPU, torch::kFloat32).contiguous();
    file.others.emplace(name,
                        lastbit::Tensor::floats(
                            floats.sizes().vec(),
                            {floats.data_ptr<float>(), static_cast<std::size_t>(floats.numel())}));
  };
  for (const auto& item : net.named_parameters()) add(item.key(), item.value());
  for (const auto& item : net.named_buffers()) add(item.key(), item.value());
  return file;
}

// True if the low-bit weights of the file are, bit for bit, those that the network has.
bool holds(const lastbit::LowBitWeights& file, const lastbit::Squeezer& squeezer) {
  for (const lastbit::LowBitParameter& weight : squeezer.parameters()) {
    const lastbit::Tensor decoded = lastbit::decode(file.low_bit.at(weight.name));
    const torch::Tensor read = torch::tensor(
        torch::ArrayRef<float>(decoded.as_floats().data(), decoded.as_floats().size()));
    if (!torch::equal(read.view(weight.value.sizes()), weight.value.detach())) return false;
  }
  return true;
}

int run(const std::string& path) {
  torch::manual_seed(1);
  const Spirals train = draw(3000);
  const Spirals test = draw(3000);
  Net net;

  torch::optim::Adam optimizer(net.parameters(), torch::optim::AdamOptions(0.005));
  for (std::int64_t step = 0; step < kSteps; ++step) {
    optimizer.zero_grad();
    loss_on(net, batch_of(train)).backward();
    optimizer.step();
  }
  const double float_error = error_percent(net, test);
  std::cout << "float:    " << float_error << "% of the test points missed\n";

  // [squeeze]
  const auto weights = lastbit::low_bit_parameters(net, "*.weight", "ternary/channel");
  auto method = lastbit::make_method(lastbit::find_method("admm"));
  lastbit::Squeezer squeezer(
      weights, std::move(method), optimizer, {.steps = kSteps, .round_steps = 50});
  for (std::int64_t step = 0; step < kSteps; ++step) {
    const Spirals batch = batch_of(train);
    squeezer.step([&] {
      torch::Tensor loss = loss_on(net, batch);
      loss.backward();
      return loss;
    });
  }
  squeezer.finish();  // the network now has the low-bit weights
  // [end]
  const double error = error_percent(net, test);
  std::cout << "ternary:  " << error << "%\n";

  lastbit::write_low_bit_safetensors(path, packed(net, squeezer));
  const bool same = holds(lastbit::read_low_bit_safetensors(path), squeezer);
  std::cout << path << (same ? " holds" : " does not hold") << " these weights\n";
  return same && error < float_error + 3.0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(count > 1 ? arguments[1] : "spirals.safetensors");
  } catch (const std::exception& error) {
    std::cerr << "own_loop: " << error.what() << "\n";
    return 1;
  }
}
