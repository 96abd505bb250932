#include <string>

#include <gtest/gtest.h>

#include "lastbit/quant/projector.h"
#include "lastbit/runtime/kernels/kernel_set.h"
#include "reference.h"

// Packed weights against the reference, which decodes them first.

namespace lastbit {
namespace {

using reference::add_random;
using reference::expect_agreement;
using reference::node;
using reference::single;

std::vector<float> even_levels(int count) {
  std::vector<float> levels;
  levels.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    levels.push_back(static_cast<float>(2 * i - count + 1) / static_cast<float>(count));
  }
  return levels;
}

Codebook codebook_of(const std::string& name) {
  if (name == "K16") return Codebook(even_levels(16));
  if (name == "K200") return Codebook(even_levels(200));
  if (name == "K6") return Codebook(even_levels(6));
  return *parse_projector(name)->levels();
}

LowBitTensor random_lowbit(
    const Shape& shape, int axis, const Codebook& codebook, Granularity per, Random& random) {
  const ChannelLayout layout = channel_layout(shape, axis);
  Quantized q{.levels = codebook, .per = per, .layout = layout, .scales = {}, .codes = {}};
  const std::int64_t scales = per == Granularity::kChannel ? layout.channels : 1;
  for (std::int64_t i = 0; i < scales; ++i) {
    q.scales.push_back(per == Granularity::kNone ? 1.0F
                                                 : static_cast<float>(random.uniform(0.1, 2.0)));
  }
  q.codes.resize(static_cast<std::size_t>(layout.size()));
  for (Code& code : q.codes) {
    code = static_cast<Code>(random.below(static_cast<std::uint64_t>(codebook.size())));
  }
  return pack_lowbit(q, shape, axis, "");
}

struct Case {
  std::string codebook;
  Granularity per;
};

class EveryCodebook : public testing::TestWithParam<Case> {
 protected:
  Codebook codebook() const { return codebook_of(GetParam().codebook); }
  Initializer weights(const Shape& shape, int axis, Random& random) const {
    return random_lowbit(shape, axis, codebook(), GetParam().per, random);
  }
};

TEST_P(EveryCodebook, GemmAgreesInBothLayouts) {
  Random random(1);
  for (const std::int64_t batch : {1, 2, 7}) {
    for (const std::int64_t depth : {1, 3, 5, 16, 17, 33, 100}) {
      for (const std::int64_t columns : {1, 7, 8, 9, 33}) {
        for (const std::int64_t by_rows : {0, 1}) {
          SCOPED_TRACE(testing::Message()
                       << batch << " x " << depth << " x " << columns << ", transB " << by_rows);
          Graph graph = single({batch, depth}, {});
          graph.initializers.emplace("w",
                                     by_rows != 0 ? weights({columns, depth}, 0, random)
                                                  : weights({depth, columns}, 1, random));
          add_random(graph, "b", {columns}, random);
          graph.nodes = {node("Gemm", {"x", "w", "b"}, {{"transB", by_rows}, {"alpha", 0.5F}}, "h"),
                         node("Tanh", {"h"})};
          expect_agreement(graph, random);
        }
      }
    }
  }
}

TEST_P(EveryCodebook, MatMulAgrees) {
  Random random(2);
  for (const std::int64_t depth : {1, 7, 33}) {
    Graph graph = single({2, 3, depth}, {node("MatMul", {"x", "w"})});
    graph.initializers.emplace("w", weights({depth, 17}, 1, random));
    expect_agreement(graph, random);
  }
}

TEST_P(EveryCodebook, ConvAgreesWithGroupsToo) {
  Random random(3);
  for (const std::int64_t groups : {1, 3}) {
    for (const std::int64_t out : {1, 5, 7, 13}) {
      for (const std::int64_t batch : {1, 2, 7}) {
        Graph graph = single({batch, 2 * groups, 7, 5}, {});
        graph.initializers.emplace("w", weights({out * groups, 2, 3, 2}, 0, random));
        add_random(graph, "b", {out * groups}, random);
        graph.nodes = {node("Conv",
                            {"x", "w", "b"},
                            {{"group", groups}, {"pads", std::vector<std::int64_t>{1, 0, 1, 1}}})};
        expect_agreement(graph, random);
      }
    }
  }
}

bool looks_up(const Session& session) {
  for (const KernelSet* set : runnable_kernels()) {
    if (set->name == std::string(session.kernels())) return set->look_up != nullptr;
  }
  return false;
}

TEST_P(EveryCodebook, StaysPackedInMemory) {
  Random random(4);
  Graph graph = single({1, 1000}, {node("Gemm", {"x", "w"}, {{"transB", std::int64_t{1}}})});
  graph.initializers.emplace("w", weights({400, 1000}, 0, random));
  const Session session(graph);
  EXPECT_LT(session.arena_bytes(), 40000U) << "the arena holds a few rows, not the weights";
  const int levels = codebook().size();
  if (levels <= 3 && looks_up(session)) {
    const std::size_t inputs = levels == 2 ? kBinaryInputs : kTernaryInputs;
    EXPECT_EQ(session.weight_bytes(),
              25 * lookup_bytes(tables_of(1000, inputs), 1) + 400 * sizeof(float));
    return;
  }
  // Outputs fill blocks of 32. Tables of levels and a scale an output come on top.
  const std::size_t bits = levels <= 2 ? 1 : levels <= 4 ? 2 : levels <= 16 ? 4 : 8;
  const std::size_t groups = 1000 / 4;
  const std::size_t words = (groups * bits + 7) / 8 * 64;  // of 16 outputs
  const std::size_t table = levels <= 16 ? 16 : 256;
  EXPECT_EQ(session.weight_bytes(), 26 * words + table * 5 + 400 * sizeof(float));
}

INSTANTIATE_TEST_SUITE_P(Packed,
                         EveryCodebook,
                         testing::Values(Case{"binary", Granularity::kTensor},
                                         Case{"binary", Granularity::kChannel},
                                         Case{"ternary", Granularity::kNone},
                                         Case{"ternary", Granularity::kTensor},
                                         Case{"ternary", Granularity::kChannel},
                                         Case{"shift:1", Granularity::kTensor},
                                         Case{"shift:2", Granularity::kChannel},
                                         Case{"K6", Granularity::kTensor},
                                         Case{"K16", Granularity::kTensor},
                                         Case{"K16", Granularity::kChannel},
                                         Case{"K200", Granularity::kTensor},
                                         Case{"K200", Granularity::kChannel}),
                         [](const auto& test) {
                           std::string name = test.param.codebook + "_" +
                                              std::to_string(static_cast<int>(test.param.per));
                           std::erase(name, ':');
                           return name;
                         });

TEST(Packed, AScaleAlongTheInputsIsDecodedAtLoad) {
  Random random(5);
  Graph graph = single({3, 17}, {node("Gemm", {"x", "w"}, {{"transB", std::int64_t{1}}})});
  graph.initializers.emplace(
      "w", random_lowbit({17, 17}, 1, codebook_of("ternary"), Granularity::kChannel, random));
  expect_agreement(graph, random);
}

TEST(Packed, OtherOperatorsTakeTheDecodedTensor) {
  Random random(6);
  Graph graph = single({3, 17}, {node("Mul", {"x", "w"})});
  graph.initializers.emplace(
      "w", random_lowbit({3, 17}, 0, codebook_of("shift:1"), Granularity::kChannel, random));
  expect_agreement(graph, random);
}

TEST(Packed, AReshapedTensorIsDecodedAtLoad) {
  Random random(7);
  Graph graph = single({2, 6}, {});
  graph.initializers.emplace(
      "c", random_lowbit({4, 3}, 0, codebook_of("ternary"), Granularity::kChannel, random));
  graph.initializers.emplace("shape", Tensor::int64s({2}, std::vector<std::int64_t>{6, 2}));
  graph.nodes = {node("Reshape", {"c", "shape"}, {}, "w"), node("MatMul", {"x", "w"})};
  expect_agreement(graph, random);
}

TEST(Packed, AScaleOfZeroGivesTheBiasAlone) {
  Random random(8);
  Graph graph = single({2, 5}, {node("Gemm", {"x", "w", "b"}, {{"transB", std::int64_t{1}}})});
  LowBitTensor w = random_lowbit({3, 5}, 0, codebook_of("ternary"), Granularity::kTensor, random);
  w.scales = {0.0F};
  graph.initializers.emplace("w", w);
  graph.initializers.emplace("b", Tensor::floats({3}, std::vector<float>{1, 2, 3}));
  Session session(graph);
  const auto y = reference::run(session, {std::vector<float>(10, 1.0F)});
  EXPECT_EQ(y[0], (std::vector<float>{1, 2, 3, 1, 2, 3}));
}

}  // namespace
}  // namespace lastbit
