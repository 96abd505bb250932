// A contestant of run.py: LibTorch, operator by operator, as training runs the graph.

#include <memory>

#include <ATen/Parallel.h>
#include <torch/types.h>

#include "lastbit/graph/onnx.h"
#include "lastbit/train/network.h"
#include "lastbit/train/startup.h"
#include "worker.h"

namespace lastbit::peers {
namespace {

class LibTorch final : public Model {
 public:
  explicit LibTorch(const Call& call)
      : network_(read_onnx(call.model), {}, torch::kCPU), input_(torch::zeros(call.sizes)) {
    network_.set_training(false);
  }

  std::span<float> input() override {
    return {input_.data_ptr<float>(), static_cast<std::size_t>(input_.numel())};
  }
  void run() override {
    const torch::NoGradGuard no_gradient;
    output_ = network_.forward(input_).contiguous();
  }
  std::span<const float> output() override {
    return {output_.data_ptr<float>(), static_cast<std::size_t>(output_.numel())};
  }

 private:
  Network network_;
  torch::Tensor input_;
  torch::Tensor output_;
};

}  // namespace
}  // namespace lastbit::peers

int main(int argc, char** argv) {
  lastbit::ensure_passive_waiting(argv);
  using lastbit::peers::Call;
  using lastbit::peers::LibTorch;
  using lastbit::peers::parse_call;
  using lastbit::peers::serve;
  return serve("bench_peer_libtorch", [&] {
    const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
    const Call call = parse_call(words.subspan(1));
    lastbit::configure_process(call.threads);
    return std::make_unique<LibTorch>(call);
  });
}
