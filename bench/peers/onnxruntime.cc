// A contestant of run.py: ONNX Runtime through its C interface, from the library that npm installs,
// whose path is the program's first argument.

#include "lastbit/cli/onnxruntime.h"

#include <memory>

#include "worker.h"

namespace lastbit::peers {
namespace {

class OnnxRuntimeModel final : public Model {
 public:
  OnnxRuntimeModel(const char* library, const Call& call)
      : count_(call.count),
        input_(call.input_count()),
        runtime_(library,
                 call.model,
                 call.threads,
                 {{.name = call.input, .shape = call.sizes}},
                 {{.name = call.output, .shape = {}}}) {}

  std::span<float> input() override {
    changed_ = true;
    return input_;
  }
  void run() override {
    if (changed_) runtime_.set_input(0, input_);
    changed_ = false;
    runtime_.run();
  }
  std::span<const float> output() override {
    output_ = runtime_.output(0);
    if (output_.size() != count_) {
      throw std::runtime_error("the output has " + std::to_string(output_.size()) +
                               " values, expected " + std::to_string(count_));
    }
    return output_;
  }

 private:
  std::size_t count_;
  std::vector<float> input_;
  std::vector<float> output_;
  bool changed_ = true;  // since ONNX Runtime has seen the input
  OnnxRuntime runtime_;
};

}  // namespace
}  // namespace lastbit::peers

int main(int argc, char** argv) {
  using lastbit::peers::OnnxRuntimeModel;
  using lastbit::peers::parse_call;
  using lastbit::peers::serve;
  return serve("bench_peer_onnxruntime", [&] {
    if (argc < 2) {
      throw std::runtime_error("expected LIBRARY MODEL THREADS INPUT SIZES OUTPUT COUNT");
    }
    const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
    return std::make_unique<OnnxRuntimeModel>(argv[1], parse_call(words.subspan(2)));
  });
}
