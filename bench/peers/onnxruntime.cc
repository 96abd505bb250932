// A contestant of run.py: ONNX Runtime through its C interface, from the library that npm installs,
// whose path is the program's first argument.

#include <cstdint>
#include <dlfcn.h>
#include <memory>

#include "worker.h"

namespace lastbit::peers {
namespace {

// npm ships no header. The interface is a table of functions that only ever grows at its end, so
// their places are as good as their names.
enum Place : std::size_t {
  kGetErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSession = 7,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetIntraOpNumThreads = 24,
  kCreateTensorWithData = 49,
  kGetTensorData = 51,
  kCreateCpuMemoryInfo = 69,
};
constexpr std::uint32_t kVersion = 16;  // has all of these
constexpr int kFloat = 1;

struct Base {
  const void* const* (*get_api)(std::uint32_t version);
  const char* (*get_version)();
};

class OnnxRuntime final : public Model {
 public:
  OnnxRuntime(const char* library, Call call)
      : call_(std::move(call)), input_(call_.input_count()) {
    void* handle = dlopen(library, RTLD_NOW);
    if (handle == nullptr) throw std::runtime_error(dlerror());
    const auto base = reinterpret_cast<const Base* (*)()>(dlsym(handle, "OrtGetApiBase"));
    if (base == nullptr) throw std::runtime_error(dlerror());
    api_ = base()->get_api(kVersion);
    if (api_ == nullptr) throw std::runtime_error("the library has no interface of version 16");

    void* environment = nullptr;
    void* options = nullptr;
    void* memory = nullptr;
    constexpr int kErrorsOnly = 3;
    constexpr int kArena = 1;
    constexpr int kDefault = 0;
    invoke(kCreateEnv, kErrorsOnly, "bench", &environment);
    invoke(kCreateSessionOptions, &options);
    invoke(kSetIntraOpNumThreads, options, call_.threads);
    invoke(kCreateSession, environment, call_.model.c_str(), options, &session_);
    invoke(kCreateCpuMemoryInfo, kArena, kDefault, &memory);
    invoke(kCreateTensorWithData,
           memory,
           input_.data(),
           input_.size() * sizeof(float),
           call_.sizes.data(),
           call_.sizes.size(),
           kFloat,
           &tensor_);
  }

  std::span<float> input() override { return input_; }

  // The output is made by the first run and used again by all others.
  void run() override {
    const char* input_name = call_.input.c_str();
    const char* output_name = call_.output.c_str();
    const void* tensor = tensor_;
    constexpr std::size_t kOne = 1;
    constexpr void* kNoOptions = nullptr;
    invoke(kRun, session_, kNoOptions, &input_name, &tensor, kOne, &output_name, kOne, &output_);
  }

  std::span<const float> output() override {
    void* data = nullptr;
    invoke(kGetTensorData, output_, &data);
    return {static_cast<const float*>(data), call_.count};
  }

 private:
  template <typename... Arguments>
  void invoke(Place place, Arguments... arguments) {
    using Function = void* (*)(Arguments...);
    void* status = reinterpret_cast<Function>(const_cast<void*>(api_[place]))(arguments...);
    if (status == nullptr) return;
    using Message = const char* (*)(void*);
    throw std::runtime_error(
        reinterpret_cast<Message>(const_cast<void*>(api_[kGetErrorMessage]))(status));
  }

  Call call_;
  std::vector<float> input_;
  const void* const* api_ = nullptr;
  void* session_ = nullptr;
  void* tensor_ = nullptr;
  void* output_ = nullptr;
};

}  // namespace
}  // namespace lastbit::peers

int main(int argc, char** argv) {
  using lastbit::peers::OnnxRuntime;
  using lastbit::peers::parse_call;
  using lastbit::peers::serve;
  return serve("bench_peer_onnxruntime", [&] {
    if (argc < 2)
      throw std::runtime_error("expected LIBRARY MODEL THREADS INPUT SIZES OUTPUT COUNT");
    const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
    return std::make_unique<OnnxRuntime>(argv[1], parse_call(words.subspan(2)));
  });
}
