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
constexpr int kFloat = 1;

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
                         const std::vector<std::string>& outputs) {
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
    inputs_.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
    names_.push_back(port.name);
    void* tensor = nullptr;
    invoke(kCreateTensorWithData,
           memory,
           inputs_.back().data(),
           inputs_.back().size() * sizeof(float),
           port.shape.data(),
           port.shape.size(),
           kFloat,
           &tensor);
    input_tensors_.push_back(tensor);
  }
  names_.insert(names_.end(), outputs.begin(), outputs.end());
  for (const std::string& name : names_) name_pointers_.push_back(name.c_str());
  output_tensors_.resize(outputs.size());
}

void OnnxRuntime::run() {
  constexpr void* kNoOptions = nullptr;
  invoke(kRun,
         session_,
         kNoOptions,
         name_pointers_.data(),
         input_tensors_.data(),
         input_tensors_.size(),
         name_pointers_.data() + input_tensors_.size(),
         output_tensors_.size(),
         output_tensors_.data());
}

std::span<const float> OnnxRuntime::output(std::size_t i) const {
  void* data = nullptr;
  void* info = nullptr;
  std::size_t count = 0;
  int type = 0;
  invoke(kGetTensorTypeAndShape, output_tensors_[i], &info);
  invoke(kGetTensorElementType, info, &type);
  invoke(kGetTensorElementCount, info, &count);
  if (type != kFloat) {
    throw WorkError(cat("[onnxruntime] output '",
                        names_[input_tensors_.size() + i],
                        "' has elements of type ",
                        type,
                        ", expected float32"));
  }
  invoke(kGetTensorData, output_tensors_[i], &data);
  return {static_cast<const float*>(data), count};
}

}  // namespace lastbit
