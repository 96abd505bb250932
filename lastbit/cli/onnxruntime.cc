#include "lastbit/cli/onnxruntime.h"

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <sstream>
#include <system_error>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

namespace fs = std::filesystem;

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
  kGetTensorElementType = 60,
  kGetTensorElementCount = 64,
  kGetTensorTypeAndShape = 65,
  kCreateCpuMemoryInfo = 69,
};
constexpr std::uint32_t kInterface = 16;  // has all of these

std::size_t size_of(DType type) noexcept {
  return type == DType::kInt64 ? sizeof(std::int64_t) : sizeof(float);
}

template <typename Number>
std::vector<float> floats_of(const Number* data, std::size_t count) {
  std::vector<float> values(count);
  std::transform(
      data, data + count, values.begin(), [](Number x) { return static_cast<float>(x); });
  return values;
}

struct Base {
  const void* const* (*get_api)(std::uint32_t version);
  const char* (*get_version)();
};

#if defined(__aarch64__)
constexpr const char* kProcessor = "arm64";
#else
constexpr const char* kProcessor = "x64";
#endif

// The library in the package `folder`, as bin/napi-v6/linux/x64/libonnxruntime.so.1; empty if there
// is none.
fs::path library_of(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const fs::directory_entry& version : fs::directory_iterator(folder / "bin", ignored)) {
    const fs::path place = version.path() / "linux" / kProcessor;
    for (const fs::directory_entry& file : fs::directory_iterator(place, ignored)) {
      if (file.path().filename().string().starts_with("libonnxruntime.so")) {
        found.push_back(file.path());
      }
    }
  }
  return found.empty() ? fs::path() : *std::max_element(found.begin(), found.end());
}

// Folders that may be the package.
std::vector<fs::path> candidates(const fs::path& given) {
  const fs::path package = "onnxruntime-node";
  const fs::path modules = "node_modules";
  if (!given.empty()) return {given, given / modules / package, given / package};
  std::vector<fs::path> result;
  for (fs::path folder = fs::current_path();; folder = folder.parent_path()) {
    result.push_back(folder / modules / package);
    if (folder == folder.parent_path()) break;
  }
  const char* const more = std::getenv("NODE_PATH");
  std::istringstream folders(more == nullptr ? "" : more);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (!folder.empty()) result.push_back(fs::path(folder) / package);
  }
  result.push_back(fs::current_path() / "build" / "onnxruntime" / modules / package);
  return result;
}

}  // namespace

fs::path find_onnxruntime(const fs::path& given) {
  std::error_code ignored;
  if (fs::is_regular_file(given, ignored)) return given;
  for (const fs::path& folder : candidates(given)) {
    if (fs::path library = library_of(folder); !library.empty()) return library;
  }
  const std::string where =
      given.empty() ? "here, in a folder above or in NODE_PATH" : "in '" + given.string() + "'";
  throw InputError(cat("[onnxruntime] no package onnxruntime-node with a library for linux/",
                       kProcessor,
                       " ",
                       where,
                       ", expected what 'npm install onnxruntime-node' makes; --onnxruntime names "
                       "its folder"));
}

template <typename... Arguments>
void OnnxRuntime::invoke(std::size_t place, Arguments... arguments) const {
  using Function = void* (*)(Arguments...);
  void* status = reinterpret_cast<Function>(const_cast<void*>(api_[place]))(arguments...);
  if (status == nullptr) return;
  using Message = const char* (*)(void*);
  const auto message = reinterpret_cast<Message>(const_cast<void*>(api_[kGetErrorMessage]));
  throw WorkError(cat("[onnxruntime] ", message(status)));
}

OnnxRuntime::OnnxRuntime(const fs::path& library,
                         const fs::path& model,
                         int threads,
                         const std::vector<Port>& inputs,
                         const std::vector<Port>& outputs)
    : ports_(inputs) {
  void* handle = dlopen(fs::absolute(library).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw WorkError(cat("[onnxruntime] ", dlerror()));
  const auto base = reinterpret_cast<const Base* (*)()>(dlsym(handle, "OrtGetApiBase"));
  if (base == nullptr) {
    throw WorkError(cat("[onnxruntime] ",
                        library.string(),
                        " has no function OrtGetApiBase, expected a library of ONNX Runtime"));
  }
  version_ = base()->get_version();
  api_ = base()->get_api(kInterface);
  if (api_ == nullptr) {
    throw WorkError(cat("[onnxruntime] ",
                        library.string(),
                        " is of version ",
                        version_,
                        ", expected 1.16 or later"));
  }

  void* environment = nullptr;
  void* options = nullptr;
  void* memory = nullptr;
  constexpr int kErrorsOnly = 3;
  constexpr int kArena = 1;
  constexpr int kDefault = 0;
  invoke(kCreateEnv, kErrorsOnly, "lastbit", &environment);
  invoke(kCreateSessionOptions, &options);
  invoke(kSetIntraOpNumThreads, options, threads);
  invoke(kCreateSession, environment, model.c_str(), options, &session_);
  invoke(kCreateCpuMemoryInfo, kArena, kDefault, &memory);
  for (const Port& port : inputs) {
    inputs_.emplace_back(static_cast<std::size_t>(element_count(port.shape)) * size_of(port.type));
    void* tensor = nullptr;
    invoke(kCreateTensorWithData,
           memory,
           inputs_.back().data(),
           inputs_.back().size(),
           port.shape.data(),
           port.shape.size(),
           static_cast<int>(port.type),  // as ONNX numbers them
           &tensor);
    input_tensors_.push_back(tensor);
  }
  ports_.insert(ports_.end(), outputs.begin(), outputs.end());
  for (const Port& port : ports_) names_.push_back(port.name.c_str());
  output_tensors_.resize(outputs.size());
}

void OnnxRuntime::set_input(std::size_t i, std::span<const float> values) {
  std::byte* to = inputs_[i].data();
  switch (ports_[i].type) {
    case DType::kInt64:
      std::ranges::copy(values, reinterpret_cast<std::int64_t*>(to));
      break;
    case DType::kInt32:
      std::ranges::copy(values, reinterpret_cast<std::int32_t*>(to));
      break;
    default:
      std::ranges::copy(values, reinterpret_cast<float*>(to));
  }
}

void OnnxRuntime::run() {
  constexpr void* kNoOptions = nullptr;
  invoke(kRun,
         session_,
         kNoOptions,
         names_.data(),
         input_tensors_.data(),
         input_tensors_.size(),
         names_.data() + input_tensors_.size(),
         output_tensors_.size(),
         output_tensors_.data());
}

std::vector<float> OnnxRuntime::output(std::size_t i) const {
  void* data = nullptr;
  void* info = nullptr;
  std::size_t count = 0;
  int type = 0;
  invoke(kGetTensorTypeAndShape, output_tensors_[i], &info);
  invoke(kGetTensorElementType, info, &type);
  invoke(kGetTensorElementCount, info, &count);
  const Port& port = ports_[input_tensors_.size() + i];
  if (type != static_cast<int>(port.type)) {
    throw WorkError(cat("[onnxruntime] output '",
                        port.name,
                        "' has elements of type ",
                        type,
                        ", expected ",
                        to_string(port.type)));
  }
  invoke(kGetTensorData, output_tensors_[i], &data);
  switch (port.type) {
    case DType::kInt64:
      return floats_of(static_cast<const std::int64_t*>(data), count);
    case DType::kInt32:
      return floats_of(static_cast<const std::int32_t*>(data), count);
    default:
      return floats_of(static_cast<const float*>(data), count);
  }
}

}  // namespace lastbit
