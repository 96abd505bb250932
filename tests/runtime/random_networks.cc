#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "lastbit/runtime/aligned_bytes.h"
#include "lastbit/runtime/kernels/find.h"
#include "lastbit/runtime/plan.h"
#include "random_network.h"

// Random small networks against the reference: what the planner fuses, aliases, lays out and places
// in the arena must not show.

namespace lastbit {
namespace {

constexpr std::uint64_t kNetworks = 500;
const SessionOptions kInt8 = {.activations = Activations::kInt8};

TEST(RandomNetworks, AgreeWithTheReference) {
  for (std::uint64_t seed = 0; seed < kNetworks; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    reference::expect_agreement(
        reference::Generator(seed).network(), random, {.threads = static_cast<int>(1 + seed % 3)});
    if (testing::Test::HasFatalFailure()) return;
  }
}

// A run of `plan` in which each step computes its units one by one, from the last to the first, as
// no number of threads would.
std::vector<std::vector<float>> run_backwards(const Plan& plan,
                                              const std::vector<std::vector<float>>& inputs) {
  const AlignedBytes arena(plan.arena_bytes);
  std::vector<const float*> values = plan.constants;
  for (std::size_t slot = 0; slot < values.size(); ++slot) {
    if (!plan.in_arena[slot]) continue;
    values[slot] = reinterpret_cast<const float*>(arena.data() + plan.offsets[slot]);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    values[static_cast<std::size_t>(plan.input_slots[i])] = inputs[i].data();
  }
  for (const Plan::PlannedStep& planned : plan.steps) {
    const Frame frame{.values = values.data(),
                      .arena = arena.data(),
                      .offsets = plan.offsets.data(),
                      .scratch = arena.data() + planned.scratch_offset,
                      .scratch_stride = planned.scratch_stride,
                      .kernels = &find_kernels("fastest")};
    for (std::size_t unit = planned.step->units(); unit-- > 0;) {
      planned.step->run(frame, unit, unit + 1, static_cast<int>(unit % 2));
    }
  }
  std::vector<std::vector<float>> outputs;
  for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
    const float* from = values[static_cast<std::size_t>(plan.output_slots[i])];
    outputs.emplace_back(from, from + element_count(plan.outputs[i].shape));
  }
  return outputs;
}

void expect_same_bits(const std::vector<std::vector<float>>& a,
                      const std::vector<std::vector<float>>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t o = 0; o < a.size(); ++o) {
    ASSERT_EQ(a[o].size(), b[o].size());
    ASSERT_EQ(std::memcmp(a[o].data(), b[o].data(), a[o].size() * sizeof(float)), 0)
        << "output " << o;
  }
}

TEST(RandomNetworks, HaveUnitsThatMayBeComputedApart) {
  for (std::uint64_t seed = 0; seed < kNetworks; ++seed) {
    for (const Activations activations : {Activations::kFloat, Activations::kInt8}) {
      SCOPED_TRACE(testing::Message() << seed << ", int8 " << (activations == Activations::kInt8));
      Random random(seed);
      const Graph graph = reference::Generator(seed).network();
      Session session(graph, {.activations = activations});
      const auto inputs = reference::random_inputs(session, random);
      const auto plan =
          make_plan(graph, {.threads = 2, .activations = activations}, find_kernels("fastest"));
      expect_same_bits(reference::run(session, inputs), run_backwards(*plan, inputs));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(RandomNetworks, GiveFiniteNumbersWithInt8Activations) {
  for (std::uint64_t seed = 0; seed < kNetworks; ++seed) {
    Random random(seed);
    Session session(reference::Generator(seed).network(), kInt8);
    for (const auto& output : reference::run(session, reference::random_inputs(session, random))) {
      for (const float y : output) ASSERT_TRUE(std::isfinite(y)) << seed;
    }
  }
}

double length_of(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double v : values) sum += v * v;
  return std::sqrt(sum);
}

// An input is off by at most half a step, 1/254 of the largest, which is twice the mean magnitude
// of uniform inputs; learned levels by at most 1/128 of the largest, some 1/64 of the mean. Both
// hold for each term of the sum of magnitudes, which is known from the reference's error.
TEST(RandomNetworks, OfOneProductStayNearWithInt8Activations) {
  for (std::uint64_t seed = 0; seed < kNetworks; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Graph graph = reference::Generator(seed).one_product();
    Session session(graph, kInt8);
    const auto inputs = reference::random_inputs(session, random);
    const auto got = reference::run(session, inputs);
    const reference::Array expected =
        reference::evaluate(graph, 1, inputs).at(graph.outputs[0].name);
    const Shape filter = shape_of(*graph.find_initializer(graph.nodes[0].inputs[1]));
    const auto terms = static_cast<double>(element_count(filter) / filter[0]);
    std::vector<double> errors;
    std::vector<double> magnitudes;
    for (std::size_t i = 0; i < expected.data.size(); ++i) {
      errors.push_back(got[0][i] - expected.data[i].value);
      magnitudes.push_back(expected.data[i].error / (terms * reference::kEps));
    }
    ASSERT_LE(length_of(errors), 0.03 * length_of(magnitudes));
  }
}

}  // namespace
}  // namespace lastbit
