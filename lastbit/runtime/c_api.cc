#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/lastbit.h"
#include "lastbit/runtime/session.h"

using lastbit::cat;
using lastbit::InputError;
using lastbit::Port;
using lastbit::Session;
using lastbit::SessionOptions;

struct lastbit_session {
  explicit lastbit_session(Session made)
      : session(std::move(made)),
        inputs(ports_of(session.inputs())),
        outputs(ports_of(session.outputs())),
        input_spans(inputs.size()),
        output_spans(outputs.size()) {}

  static std::vector<lastbit_port> ports_of(std::span<const Port> ports) {
    std::vector<lastbit_port> result;
    for (const Port& port : ports) {
      std::size_t size = 1;
      for (const std::int64_t dim : port.shape) size *= static_cast<std::size_t>(dim);
      result.push_back({.name = port.name.c_str(),
                        .shape = port.shape.data(),
                        .rank = port.shape.size(),
                        .size = size,
                        .integers = port.type == lastbit::DType::kFloat ? 0 : 1});
    }
    return result;
  }

  Session session;
  std::vector<lastbit_port> inputs;
  std::vector<lastbit_port> outputs;
  std::vector<std::span<const float>> input_spans;  // kept, so that runs allocate nothing
  std::vector<std::span<float>> output_spans;
};

namespace {

thread_local std::string last_error;

void note(const char* message) noexcept {
  try {
    last_error = message;
  } catch (const std::exception&) {  // no memory even for the message
    last_error.clear();
  }
}

// What `work` returns, or `failed` after an error.
template <typename Result, typename Work>
Result guarded(Result failed, Work work) noexcept {
  try {
    return work();
  } catch (const std::exception& error) {
    note(error.what());
  } catch (...) {
    note("[lastbit] an error of an unknown kind");
  }
  return failed;
}

template <typename Pointer>
Pointer required(Pointer pointer, const char* function, const char* name) {
  if (pointer == nullptr) {
    throw InputError(cat("[", function, "] ", name, " is NULL, expected an address"));
  }
  return pointer;
}

template <typename Options>
void set_activations(Options& options, std::string_view name) {
  if (name == "float") return;
  if constexpr (requires { options.activations; }) {
    if (name == "int8") {
      options.activations = decltype(options.activations)::kInt8;
      return;
    }
  }
  throw InputError(cat("[runtime] the activations are '", name, "', expected float or int8"));
}

SessionOptions options_of(const lastbit_options* given, const char* function) {
  SessionOptions options;
  if (given == nullptr) return options;
  if (given->struct_size < sizeof(lastbit_options)) {
    throw InputError(cat("[",
                         function,
                         "] options.struct_size is ",
                         given->struct_size,
                         ", expected options made by lastbit_default_options"));
  }
  options.batch = given->batch;
  options.threads = given->threads;
  set_activations(options, required(given->activations, function, "options.activations"));
  options.kernels = required(given->kernels, function, "options.kernels");
  options.memory_limit = given->memory_limit;
  if (given->size_count > 0) required(given->sizes, function, "options.sizes");
  for (const lastbit_size& size : std::span(given->sizes, given->size_count)) {
    options.sizes[required(size.dimension, function, "options.sizes[].dimension")] = size.size;
  }
  return options;
}

using Ports = std::vector<lastbit_port> lastbit_session::*;

std::size_t count_of(const lastbit_session* session, Ports which, const char* function) {
  return guarded<std::size_t>(
      0, [&] { return (required(session, function, "session")->*which).size(); });
}

const lastbit_port* port_at(const lastbit_session* session,
                            Ports which,
                            std::size_t index,
                            const char* function) {
  return guarded<const lastbit_port*>(nullptr, [&] {
    const std::vector<lastbit_port>& ports = required(session, function, "session")->*which;
    if (index >= ports.size()) {
      throw InputError(cat("[", function, "] index ", index, " of ", ports.size(), " ports"));
    }
    return &ports[index];
  });
}

template <typename Float>
void fill_spans(Float* const* arrays,
                const std::vector<lastbit_port>& ports,
                const char* kind,
                std::vector<std::span<Float>>& spans) {
  if (!ports.empty()) required(arrays, "lastbit_run", kind);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (arrays[i] == nullptr) {
      throw InputError(cat("[lastbit_run] ",
                           kind,
                           "[",
                           i,
                           "] ('",
                           ports[i].name,
                           "') is NULL, expected ",
                           ports[i].size,
                           " floats"));
    }
    spans[i] = {arrays[i], ports[i].size};
  }
}

}  // namespace

const char* lastbit_version(void) { return LASTBIT_VERSION; }

lastbit_options lastbit_default_options(void) {
  return {.struct_size = sizeof(lastbit_options),
          .batch = 1,
          .threads = 1,
          .activations = "float",
          .kernels = "fastest",
          .memory_limit = 0,
          .sizes = nullptr,
          .size_count = 0};
}

lastbit_session* lastbit_load(const char* path, const lastbit_options* options) {
  return guarded<lastbit_session*>(nullptr, [&] {
    required(path, "lastbit_load", "path");
    return new lastbit_session(Session::load(path, options_of(options, "lastbit_load")));
  });
}

lastbit_session* lastbit_load_memory(const void* bytes,
                                     size_t size,
                                     const lastbit_options* options) {
  return guarded<lastbit_session*>(nullptr, [&] {
    required(bytes, "lastbit_load_memory", "bytes");
    const std::span data(static_cast<const std::byte*>(bytes), size);
    return new lastbit_session(Session(lastbit::parse_onnx(data, {}, {.keep_bytes = true}),
                                       options_of(options, "lastbit_load_memory")));
  });
}

lastbit_session* lastbit_fork(const lastbit_session* session) {
  return guarded<lastbit_session*>(nullptr, [&] {
    return new lastbit_session(required(session, "lastbit_fork", "session")->session.fork());
  });
}

void lastbit_free(lastbit_session* session) { delete session; }

size_t lastbit_input_count(const lastbit_session* session) {
  return count_of(session, &lastbit_session::inputs, "lastbit_input_count");
}

size_t lastbit_output_count(const lastbit_session* session) {
  return count_of(session, &lastbit_session::outputs, "lastbit_output_count");
}

const lastbit_port* lastbit_input(const lastbit_session* session, size_t index) {
  return port_at(session, &lastbit_session::inputs, index, "lastbit_input");
}

const lastbit_port* lastbit_output(const lastbit_session* session, size_t index) {
  return port_at(session, &lastbit_session::outputs, index, "lastbit_output");
}

int lastbit_run(lastbit_session* session, const float* const* inputs, float* const* outputs) {
  return guarded(1, [&] {
    required(session, "lastbit_run", "session");
    fill_spans(inputs, session->inputs, "inputs", session->input_spans);
    fill_spans(outputs, session->outputs, "outputs", session->output_spans);
    session->session.run(session->input_spans, session->output_spans);
    return 0;
  });
}

const char* lastbit_last_error(void) { return last_error.c_str(); }
