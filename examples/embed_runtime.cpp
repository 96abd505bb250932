// Runs a model from C++: embed_runtime MODEL.onnx
//
// Every input is filled with a ramp; the first values of every output are printed.
#include <cstddef>
#include <iostream>
#include <span>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/runtime/session.h"

namespace {

std::vector<std::vector<float>> arrays(std::span<const lastbit::Port> ports) {
  std::vector<std::vector<float>> result;
  for (const lastbit::Port& port : ports) {
    std::size_t size = 1;
    for (const std::int64_t dim : port.shape) size *= static_cast<std::size_t>(dim);
    std::vector<float>& values = result.emplace_back(size);
    for (std::size_t k = 0; k < size; ++k) values[k] = static_cast<float>(k % 256) / 256.0F;
  }
  return result;
}

void run(const char* path) {
  auto session = lastbit::Session::load(path, {.threads = 2});
  const auto inputs = arrays(session.inputs());
  auto outputs = arrays(session.outputs());
  const std::vector<std::span<const float>> in(inputs.begin(), inputs.end());
  const std::vector<std::span<float>> out(outputs.begin(), outputs.end());
  session.run(in, out);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::cout << session.outputs()[i].name << ":";
    for (std::size_t k = 0; k < outputs[i].size() && k < 10; ++k) std::cout << " " << outputs[i][k];
    std::cout << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: embed_runtime MODEL.onnx\n";
    return 2;
  }
  try {
    run(argv[1]);
  } catch (const lastbit::Error& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
  return 0;
}
