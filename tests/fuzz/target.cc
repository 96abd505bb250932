#include "target.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/shapes.h"
#include "lastbit/runtime/kernels/kernel_set.h"
#include "lastbit/runtime/lastbit.h"
#include "lastbit/runtime/session.h"

namespace lastbit::fuzz {
namespace {

constexpr std::size_t kMemory = std::size_t{16} << 20U;
constexpr double kMostProducts = 1e7;

[[noreturn]] void fail(const char* what, const std::string& detail) {
  std::fprintf(stderr, "fuzz: %s: %s\n", what, detail.c_str());
  std::abort();
}

void check_sentence(const std::string& text) {
  // Names come from the file, so that letters of all kinds may stand in it.
  if (text.empty() || text.front() != '[') fail("the error names no place", text);
}

// Whether a run takes no more than a moment: products of weights are counted by the session, those
// of computed matrices and what windows look at are not.
bool runs_fast(const Graph& graph, const Session& session) {
  double work = 0.0;
  for (const StepInfo& step : session.steps()) work += step.products;
  const TypeMap types = infer_shapes(graph, 1);
  for (const Node& node : graph.nodes) {
    const auto size = [&](const std::string& name) {
      const auto found = types.find(name);
      return found == types.end() ? 1.0 : static_cast<double>(element_count(found->second.shape));
    };
    double each = 1.0;  // looks a result
    if (node.op == "MatMul") each = size(node.inputs[0]);
    for (const std::int64_t length : ints_attribute(node, "kernel_shape", {})) {
      each *= static_cast<double>(length);
    }
    work += each * size(node.outputs.front());
  }
  return work <= kMostProducts;
}

void run(Session& session) {
  // Exactly as large as the ports, so that the sanitizer sees what is read beyond them.
  std::vector<std::vector<float>> inputs;
  for (const Port& port : session.inputs()) {
    auto& values = inputs.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>((i * 37 + inputs.size()) % 64) / 16.0F - 2.0F;
    }
  }
  std::vector<std::vector<float>> outputs;
  for (const Port& port : session.outputs()) {
    outputs.emplace_back(static_cast<std::size_t>(element_count(port.shape)));
  }
  const std::vector<std::span<const float>> in(inputs.begin(), inputs.end());
  const std::vector<std::span<float>> out(outputs.begin(), outputs.end());
  session.run(in, out);
  const auto first = outputs;
  session.run(in, out);
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    if (outputs[o].empty()) continue;
    if (std::memcmp(first[o].data(), outputs[o].data(), outputs[o].size() * sizeof(float)) != 0) {
      fail("a second run gave other values", session.outputs()[o].name);
    }
  }
}

// The C functions must say what the C++ ones say.
void check_c(std::span<const std::byte> bytes, const std::string& refusal) {
  lastbit_options options = lastbit_default_options();
  options.memory_limit = kMemory;
  lastbit_session* session = lastbit_load_memory(bytes.data(), bytes.size(), &options);
  if (session != nullptr) fail("C loads what C++ refuses", refusal);
  if (refusal != lastbit_last_error()) fail("C says otherwise", lastbit_last_error());
}

}  // namespace

Outcome try_model(std::span<const std::byte> bytes) {
  Outcome outcome = Outcome::kRefused;
  // Every set has its turn.
  const std::span<const KernelSet* const> sets = runnable_kernels();
  const std::string kernels = sets[bytes.size() % sets.size()]->name;
  try {
    const Graph graph = parse_onnx(bytes);
    for (const Activations activations : {Activations::kFloat, Activations::kInt8}) {
      Session session(graph,
                      {.activations = activations, .kernels = kernels, .memory_limit = kMemory});
      if (outcome != Outcome::kRan) outcome = Outcome::kLoaded;
      if (!runs_fast(graph, session)) continue;
      run(session);
      outcome = Outcome::kRan;
    }
  } catch (const Error& error) {
    check_sentence(error.what());
    if (outcome == Outcome::kRefused && bytes.size() > 0) check_c(bytes, error.what());
  } catch (const std::exception& error) {
    fail("an exception that is none of ours", error.what());
  }
  return outcome;
}

}  // namespace lastbit::fuzz
