#include <cstring>
#include <thread>

#include <gtest/gtest.h>

#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/lastbit.h"
#include "lastbit/zoo/zoo.h"
#include "reference.h"

// One loaded model that many threads run: with forks, which share its weights, through C++ and C.

namespace lastbit {
namespace {

constexpr std::size_t kThreads = 16;
constexpr std::int64_t kBatch = 4;

Graph network() { return reference::quantized(make_network("lenet5", {}), "ternary"); }

// Every thread has an input of its own, so that a buffer that two share shows.
std::vector<std::vector<float>> inputs_of_threads() {
  Random random(1);
  std::vector<std::vector<float>> inputs;
  for (std::size_t i = 0; i < kThreads; ++i) {
    inputs.push_back(reference::random_floats(std::size_t{kBatch} * 784, random));
  }
  return inputs;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Sharing, SixteenThreadsGetTheBitsOfOne) {
  const auto inputs = inputs_of_threads();
  for (const Activations activations : {Activations::kFloat, Activations::kInt8}) {
    for (const int threads : {1, 2}) {
      SCOPED_TRACE(testing::Message() << "int8 " << (activations == Activations::kInt8) << ", "
                                      << threads << " threads a session");
      Session alone(network(), {.batch = kBatch, .activations = activations});
      std::vector<std::vector<float>> expected;
      for (const auto& input : inputs) expected.push_back(reference::run(alone, {input})[0]);

      const Session session(network(),
                            {.batch = kBatch, .threads = threads, .activations = activations});
      std::vector<int> equal(kThreads, 0);
      {
        std::vector<std::jthread> runners;
        for (std::size_t i = 0; i < kThreads; ++i) {
          runners.emplace_back([&, i] {
            Session fork = session.fork();
            for (int round = 0; round < 3; ++round) {
              equal[i] += same_bits(reference::run(fork, {inputs[i]})[0], expected[i]) ? 1 : 0;
            }
          });
        }
      }
      EXPECT_EQ(equal, std::vector<int>(kThreads, 3));
    }
  }
}

TEST(Sharing, SixteenThreadsGetTheBitsOfOneThroughC) {
  const auto inputs = inputs_of_threads();
  const std::string bytes = serialize_onnx(network());
  for (const char* activations : {"float", "int8"}) {
    SCOPED_TRACE(activations);
    lastbit_options options = lastbit_default_options();
    options.batch = kBatch;
    options.activations = activations;
    lastbit_session* session = lastbit_load_memory(bytes.data(), bytes.size(), &options);
    ASSERT_NE(session, nullptr) << lastbit_last_error();
    const std::size_t size = lastbit_output(session, 0)->size;
    const auto run = [&](lastbit_session* on, const std::vector<float>& input) {
      std::vector<float> output(size);
      const float* const in[] = {input.data()};
      float* const out[] = {output.data()};
      return lastbit_run(on, in, out) == 0 ? output : std::vector<float>();
    };
    std::vector<std::vector<float>> expected;
    for (const auto& input : inputs) expected.push_back(run(session, input));
    std::vector<int> equal(kThreads, 0);
    {
      std::vector<std::jthread> runners;
      for (std::size_t i = 0; i < kThreads; ++i) {
        runners.emplace_back([&, i] {
          lastbit_session* fork = lastbit_fork(session);
          for (int round = 0; round < 3; ++round) {
            equal[i] += same_bits(run(fork, inputs[i]), expected[i]) ? 1 : 0;
          }
          lastbit_free(fork);
        });
      }
    }
    lastbit_free(session);
    EXPECT_EQ(equal, std::vector<int>(kThreads, 3));
  }
}

// Each thread has its own last error.
TEST(Sharing, ErrorsBelongToTheirThread) {
  lastbit_load("/nowhere/a.onnx", nullptr);
  const std::string mine = lastbit_last_error();
  std::string before;
  std::string after;
  std::jthread([&] {
    before = lastbit_last_error();
    lastbit_load("/nowhere/b.onnx", nullptr);
    after = lastbit_last_error();
  }).join();
  EXPECT_EQ(before, "");
  EXPECT_NE(after.find("/nowhere/b.onnx"), std::string::npos);
  EXPECT_EQ(lastbit_last_error(), mine);
}

}  // namespace
}  // namespace lastbit
