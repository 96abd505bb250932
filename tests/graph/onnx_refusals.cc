#include <filesystem>
#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/shapes.h"
#include "tests/graph/models.h"

// Files written field by field, as other programs write them, and what is refused in them. The
// numbers are those of onnx.proto.

namespace lastbit {
namespace {

using protozero::pbf_writer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Fill = std::function<void(pbf_writer&)>;

std::string message(const Fill& fill) {
  std::string bytes;
  pbf_writer writer(bytes);
  fill(writer);
  return bytes;
}

std::string node(
    const std::string& name,
    const std::string& op,
    const std::vector<std::string>& inputs,
    const std::vector<std::string>& outputs,
    const Fill& more = [](pbf_writer&) {}) {
  return message([&](pbf_writer& w) {
    for (const std::string& input : inputs) w.add_string(1, input);
    for (const std::string& output : outputs) w.add_string(2, output);
    w.add_string(3, name);
    w.add_string(4, op);
    more(w);
  });
}

std::string value(const std::string& name, const std::vector<std::int64_t>& dims) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    w.add_message(2, message([&](pbf_writer& type) {
                    type.add_message(1, message([&](pbf_writer& tensor) {
                                       tensor.add_int32(1, 1);
                                       tensor.add_message(2, message([&](pbf_writer& shape) {
                                                            for (const std::int64_t dim : dims) {
                                                              shape.add_message(
                                                                  1, message([&](pbf_writer& d) {
                                                                    d.add_int64(1, dim);
                                                                  }));
                                                            }
                                                          }));
                                     }));
                  }));
  });
}

std::string tensor(const std::string& name, int type, const Shape& dims, const Fill& data) {
  return message([&](pbf_writer& w) {
    for (const std::int64_t dim : dims) w.add_int64(1, dim);
    w.add_int32(2, type);
    w.add_string(8, name);
    data(w);
  });
}

std::string model(
    const Fill& graph, std::int64_t opset = 13, const Fill& more = [](pbf_writer&) {}) {
  return message([&](pbf_writer& w) {
    w.add_int64(1, 8);
    w.add_message(7, message(graph));
    w.add_message(8, message([&](pbf_writer& o) { o.add_int64(2, opset); }));
    more(w);
  });
}

// x -> relu -> y, and what `more` adds.
Fill relu_graph(const Fill& more) {
  return [more](pbf_writer& w) {
    w.add_message(1, node("relu", "Relu", {"x"}, {"y"}));
    w.add_message(11, value("x", {2}));
    w.add_message(12, value("y", {2}));
    more(w);
  };
}

std::string with_initializer(int type, const Shape& dims, const Fill& data) {
  return model(relu_graph([&](pbf_writer& w) { w.add_message(5, tensor("w", type, dims, data)); }));
}

Graph parse(const std::string& bytes, const std::filesystem::path& folder = {}) {
  return parse_onnx(std::as_bytes(std::span(bytes)), folder);
}

void expect_refusal(const std::string& bytes, const std::string& words) {
  EXPECT_THAT([&] { return parse(bytes); }, ThrowsMessage<InputError>(HasSubstr(words)));
}

const Tensor& initializer(const Graph& graph) {
  return std::get<Tensor>(*graph.find_initializer("w"));
}

TEST(OnnxReader, TakesPackedAndSingleFloats) {
  const std::vector<float> values{1.5F, -2.0F};
  const Graph packed = parse(with_initializer(
      1, {2}, [&](pbf_writer& w) { w.add_packed_float(4, values.begin(), values.end()); }));
  EXPECT_THAT(initializer(packed).as_floats(), ElementsAre(1.5F, -2.0F));
  const Graph single = parse(with_initializer(1, {2}, [&](pbf_writer& w) {
    for (const float x : values) w.add_float(4, x);
  }));
  EXPECT_EQ(initializer(single), initializer(packed));
}

TEST(OnnxReader, TakesSmallIntegersFromInt32Data) {
  const std::vector<std::int32_t> values{-1, 2, 300};
  for (const int type : {2, 3, 4, 5, 6, 9, 10, 16}) {
    const Graph graph = parse(with_initializer(
        type, {3}, [&](pbf_writer& w) { w.add_packed_int32(5, values.begin(), values.end()); }));
    const auto bytes = initializer(graph).bytes();
    const std::size_t size = element_size(static_cast<DType>(type));
    ASSERT_EQ(bytes.size(), 3 * size);
    EXPECT_EQ(bytes[0], std::byte{0xFF});
    EXPECT_EQ(bytes[size], std::byte{2});
    EXPECT_EQ(bytes[2 * size], std::byte{300 % 256});
  }
}

TEST(OnnxReader, TakesWideTypesFromTheirFields) {
  const std::vector<std::int64_t> longs{-5, 1LL << 40};
  EXPECT_THAT(
      initializer(
          parse(with_initializer(
              7, {2}, [&](pbf_writer& w) { w.add_packed_int64(7, longs.begin(), longs.end()); })))
          .as_int64s(),
      ElementsAre(-5, 1LL << 40));
  const std::vector<double> doubles{0.25};
  EXPECT_EQ(initializer(parse(with_initializer(
                11,
                {1},
                [&](pbf_writer& w) { w.add_packed_double(10, doubles.begin(), doubles.end()); }))),
            Tensor(DType::kDouble, {1}, std::as_bytes(std::span(doubles))));
  const std::vector<std::uint32_t> words{4'000'000'000U};
  EXPECT_EQ(
      initializer(parse(with_initializer(
          12, {1}, [&](pbf_writer& w) { w.add_packed_uint64(11, words.begin(), words.end()); }))),
      Tensor(DType::kUint32, {1}, std::as_bytes(std::span(words))));
}

TEST(OnnxReader, RefusesTensorsWhoseDataDoNotFit) {
  const auto none = [](pbf_writer&) {};
  const auto raw = [](pbf_writer& w) { w.add_bytes(9, "12345678"); };
  expect_refusal(with_initializer(1, {3}, raw), "initializer 'w': shape [3] of float32 takes 12");
  expect_refusal(with_initializer(1, {2}, none), "takes 8 bytes, got 0");
  expect_refusal(with_initializer(1, {-2}, raw), "negative size");
  expect_refusal(with_initializer(1, {1LL << 62, 1LL << 62}, raw), "too many elements");
  expect_refusal(with_initializer(8, {1}, [](pbf_writer& w) { w.add_bytes(6, "text"); }),
                 "initializer 'w': elements of type string (8) are not supported");
  expect_refusal(with_initializer(1,
                                  {2},
                                  [&](pbf_writer& w) {
                                    raw(w);
                                    w.add_float(4, 1.0F);
                                  }),
                 "given more than once");
}

TEST(OnnxReader, TurnsConstantNodesIntoInitializers) {
  const auto constant = [](const Fill& attribute) {
    return model(relu_graph([&](pbf_writer& w) {
      w.add_message(1, node("c", "Constant", {}, {"w"}, [&](pbf_writer& n) {
                      n.add_message(5, message(attribute));
                    }));
    }));
  };
  const Graph ints = parse(constant([](pbf_writer& a) {
    a.add_string(1, "value_ints");
    a.add_int64(8, 4);
    a.add_int64(8, -1);
    a.add_int32(20, 7);
  }));
  EXPECT_THAT(initializer(ints).as_int64s(), ElementsAre(4, -1));
  EXPECT_EQ(ints.nodes.size(), 1U);
  const Graph scalar = parse(constant([](pbf_writer& a) {
    a.add_string(1, "value_float");
    a.add_float(2, 0.5F);
  }));
  EXPECT_EQ(initializer(scalar), Tensor::scalar(0.5F));
  expect_refusal(constant([](pbf_writer& a) {
                   a.add_string(1, "value_string");
                   a.add_string(4, "text");
                   a.add_int32(20, 3);
                 }),
                 "node 'c' (Constant): expected one attribute");
}

TEST(OnnxReader, LeavesInitializersOutOfTheInputs) {
  const Graph graph = parse(model(relu_graph([](pbf_writer& w) {
    w.add_message(11, value("w", {1}));
    w.add_message(5, tensor("w", 1, {1}, [](pbf_writer& t) { t.add_float(4, 1); }));
  })));
  ASSERT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(graph.inputs[0].name, "x");
}

TEST(OnnxReader, SortsNodes) {
  const Graph graph = parse(model([](pbf_writer& w) {
    w.add_message(1, node("third", "Add", {"b", "a"}, {"y"}));
    w.add_message(1, node("second", "Relu", {"a"}, {"b"}));
    w.add_message(1, node("first", "Relu", {"x"}, {"a"}));
    w.add_message(11, value("x", {2}));
    w.add_message(12, value("y", {2}));
  }));
  EXPECT_EQ(graph.nodes[0].name, "first");
  EXPECT_EQ(graph.nodes[1].name, "second");
  EXPECT_EQ(graph.nodes[2].name, "third");
}

TEST(OnnxReader, RefusesCyclesUnknownAndDoubledNames) {
  const auto with = [](const std::string& bytes) {
    return model(relu_graph([&](pbf_writer& w) { w.add_message(1, bytes); }));
  };
  expect_refusal(with(node("loop", "Relu", {"a"}, {"a"})),
                 "node 'loop' (Relu): its inputs depend on its own result");
  expect_refusal(with(node("n", "Relu", {"ghost"}, {"a"})),
                 "node 'n' (Relu): input 'ghost' is no input");
  expect_refusal(with(node("n", "Relu", {"x"}, {"y"})), "the name 'y' is taken already");
  expect_refusal(with(node("n", "Relu", {"y"}, {"x"})), "the name 'x' is taken already");
  expect_refusal(model(relu_graph([](pbf_writer& w) { w.add_message(12, value("z", {1})); })),
                 "output 'z' of the graph is made by no node");
  expect_refusal(model(relu_graph([](pbf_writer& w) {
                   for (int i = 0; i < 2; ++i) {
                     w.add_message(5, tensor("w", 1, {0}, [](pbf_writer&) {}));
                   }
                 })),
                 "two initializers are called 'w'");
}

TEST(OnnxReader, RefusesSubgraphsSparseTensorsAndTraining) {
  expect_refusal(model(relu_graph([](pbf_writer& w) {
                   w.add_message(1, node("if", "If", {"x"}, {"z"}, [](pbf_writer& n) {
                                   n.add_message(5, message([](pbf_writer& a) {
                                                   a.add_string(1, "then_branch");
                                                   a.add_message(6, std::string());
                                                   a.add_int32(20, 5);
                                                 }));
                                 }));
                 })),
                 "node 'if' (If): attribute 'then_branch' is a subgraph, which is not supported");
  expect_refusal(model(relu_graph([](pbf_writer& w) { w.add_message(15, std::string()); })),
                 "sparse initializers, which are not supported");
  expect_refusal(model(relu_graph([](pbf_writer&) {}),
                       13,
                       [](pbf_writer& w) { w.add_message(20, std::string()); }),
                 "training information, which is not supported");
}

TEST(OnnxReader, RefusesInputsThatAreNoTensors) {
  expect_refusal(model(relu_graph([](pbf_writer& w) {
                   w.add_message(11, message([](pbf_writer& v) { v.add_string(1, "seq"); }));
                 })),
                 "input 'seq' has no tensor type");
  expect_refusal(model(relu_graph([](pbf_writer& w) { w.add_message(11, value("n", {-3})); })),
                 "value 'n': a size is -3");
}

TEST(OnnxReader, SkipsUnknownFields) {
  const Graph graph = parse(model(relu_graph([](pbf_writer& w) {
                                    w.add_string(999, "new");
                                    w.add_fixed64(998, 1);
                                  }),
                                  13,
                                  [](pbf_writer& w) { w.add_fixed32(500, 7); }));
  EXPECT_EQ(graph.nodes.size(), 1U);
}

TEST(OnnxReader, RaisesOldOpsetsWhereNothingChanged) {
  const Graph graph = parse(model(relu_graph([](pbf_writer&) {}), 9));
  EXPECT_EQ(graph.opset, 13);
  const auto with = [](const std::string& op) {
    return model(relu_graph([&](pbf_writer& w) { w.add_message(1, node("n", op, {"x"}, {"z"})); }),
                 9);
  };
  expect_refusal(with("Softmax"), "node 'n' (Softmax): at the model's opset 9 the operator means");
  expect_refusal(with("Erf"), "node 'n' (Erf): at the model's opset 9 (older than 13)");
}

TEST(OnnxReader, RefusesOpsetsItDoesNotKnow) {
  const auto graph = relu_graph([](pbf_writer&) {});
  expect_refusal(model(graph, 6), "the model has opset 6, supported are 7 to ");
  expect_refusal(model(graph, kNewestOpset + 1), "supported are 7 to ");
  expect_refusal(message([&](pbf_writer& w) { w.add_message(7, message(graph)); }),
                 "does not say its opset");
  expect_refusal(message([](pbf_writer& w) { w.add_int64(1, 8); }), "there is no graph");
  expect_refusal("a text file, not a model\n", "not an ONNX model");
}

TEST(OnnxReader, TakesOnnxsOwnDomainByItsLongName) {
  const Graph graph = parse(model(relu_graph([](pbf_writer& w) {
    w.add_message(
        1, node("n", "Relu", {"x"}, {"z"}, [](pbf_writer& n) { n.add_string(7, "ai.onnx"); }));
  })));
  EXPECT_EQ(graph.nodes[1].domain, "");
}

// A call whose parts `change` may spoil.
std::string call(const std::function<void(Graph&)>& change) {
  Graph graph;
  graph.opset = 13;
  const std::vector<std::uint8_t> codes{200, 1};
  const std::vector<std::int32_t> places{1, 3, 9, 27, 81};
  const std::vector<float> levels{-1, 0, 1};
  const std::vector<float> scale{0.5F};
  graph.initializers = {{"codes", Tensor(DType::kUint8, {2, 1}, std::as_bytes(std::span(codes)))},
                        {"places", Tensor(DType::kInt32, {5}, std::as_bytes(std::span(places)))},
                        {"levels", Tensor::floats({3}, levels)},
                        {"scales", Tensor::floats({1}, scale)}};
  graph.nodes = {{"decode",
                  "Decode",
                  "lastbit.v1",
                  {"codes", "places", "levels", "scales"},
                  {"w"},
                  {{"shape", Ints{6}}}}};
  change(graph);
  return model([&](pbf_writer& w) {
    for (const Node& n : graph.nodes) {
      w.add_message(1, node(n.name, n.op, n.inputs, n.outputs, [&](pbf_writer& more) {
                      more.add_string(7, n.domain);
                      const auto shape = n.attributes.find("shape");
                      if (shape == n.attributes.end()) return;
                      more.add_message(
                          5, message([&](pbf_writer& a) {
                            a.add_string(1, "shape");
                            for (const std::int64_t size : std::get<Ints>(shape->second))
                              a.add_int64(8, size);
                            a.add_int32(20, 7);
                          }));
                    }));
    }
    for (const auto& [name, plain] : graph.initializers) {
      const Tensor& t = std::get<Tensor>(plain);
      w.add_message(5, tensor(name, static_cast<int>(t.type()), t.shape(), [&](pbf_writer& data) {
                      data.add_bytes(
                          9, reinterpret_cast<const char*>(t.bytes().data()), t.bytes().size());
                    }));
    }
    w.add_message(11, value("x", {6}));
    w.add_message(12, value("w", {6}));
  });
}

TEST(DecodeCall, BecomesALowBitInitializer) {
  const Graph graph = parse(call([](Graph&) {}));
  EXPECT_TRUE(graph.nodes.empty());
  EXPECT_EQ(graph.initializers.size(), 1U);
  EXPECT_THAT(decode(*graph.find_initializer("w")).as_floats(),
              ElementsAre(0.5F, -0.5F, 0.0F, 0.0F, 0.5F, 0.0F));
}

TEST(DecodeCall, LeavesThePartsThatSomethingElseUses) {
  const Graph graph = parse(call([](Graph& g) {
    g.nodes.push_back({"more", "Relu", "", {"scales"}, {"z"}, {}});
  }));
  EXPECT_EQ(graph.initializers.size(), 2U);
  EXPECT_NE(graph.find_initializer("scales"), nullptr);
}

TEST(DecodeCall, WhosePartsDoNotFitIsRefused) {
  const auto refuse = [](const std::function<void(Graph&)>& change, const std::string& words) {
    EXPECT_THAT([&] { return parse(call(change)); },
                ThrowsMessage<FormatError>(::testing::AllOf(
                    HasSubstr("node 'decode' (lastbit.v1.Decode)"), HasSubstr(words))));
  };
  const auto set = [](Graph& graph, const std::string& name, Tensor tensor) {
    graph.initializers.insert_or_assign(name, std::move(tensor));
  };
  const std::vector<std::uint8_t> bytes{243, 1, 0};
  const auto codes = [&](std::size_t first, std::size_t count) {
    return Tensor(DType::kUint8,
                  {static_cast<std::int64_t>(count), 1},
                  std::as_bytes(std::span(bytes).subspan(first, count)));
  };
  refuse([&](Graph& g) { set(g, "codes", codes(0, 2)); }, "243");
  refuse([&](Graph& g) { set(g, "codes", codes(1, 1)); }, "bytes");
  refuse([&](Graph& g) { set(g, "codes", ramp({2, 1})); }, "input 'codes' must be uint8");
  refuse(
      [&](Graph& g) {
        set(g, "codes", Tensor(DType::kUint8, {1, 2}, std::as_bytes(std::span(bytes).first(2))));
      },
      "expected [bytes, 1]");
  refuse([&](Graph& g) { set(g, "places", Tensor(DType::kInt32, {0}, {})); },
         "'places' must be the powers of 3: [1, 3, 9, 27, 81]");
  refuse(
      [&](Graph& g) {
        set(g, "levels", Tensor::floats({3}, std::vector<float>{0, 2, 1}));
      },
      "level");
  refuse([&](Graph& g) { set(g, "scales", ramp({5})); }, "scales of shape [5] do not fit");
  refuse([&](Graph& g) { set(g, "scales", Tensor::scalar(1)); }, "scales of shape [] do not fit");
  refuse([](Graph& g) { g.nodes[0].attributes["shape"] = Ints{1LL << 62, 8}; }, "shape");
  refuse([](Graph& g) { g.nodes[0].attributes["shape"] = Ints{-6}; }, "shape [-6]");
  refuse([](Graph& g) { g.nodes[0].attributes.clear(); }, "shape []");
  refuse([](Graph& g) { g.nodes[0].inputs.pop_back(); }, "expected 4 inputs");
}

TEST(DecodeCall, OfAComputedValueIsRefused) {
  expect_refusal(call([](Graph& graph) { graph.nodes[0].inputs[3] = "x"; }),
                 "input 'scales' (value 'x') must be an initializer");
}

class ExternalData : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ / "weights.bin", std::string("????\0\0\x80\x3f\0\0\0\x40", 12));
  }
  void TearDown() override { std::filesystem::remove_all(folder_.parent_path()); }

  static std::string file(const std::vector<std::pair<std::string, std::string>>& entries) {
    return with_initializer(1, {2}, [&](pbf_writer& w) {
      for (const auto& [key, text] : entries) {
        w.add_message(13, message([&](pbf_writer& e) {
                        e.add_string(1, key);
                        e.add_string(2, text);
                      }));
      }
      w.add_int32(14, 1);
    });
  }
  void expect(const std::vector<std::pair<std::string, std::string>>& entries,
              const std::string& words) {
    EXPECT_THAT([&] { return parse(file(entries), folder_); },
                ThrowsMessage<InputError>(HasSubstr(words)));
  }

  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      (std::string("lastbit_external_") +
       ::testing::UnitTest::GetInstance()->current_test_info()->name()) /
      "model";
};

TEST_F(ExternalData, IsReadFromItsPlace) {
  const Graph graph =
      parse(file({{"location", "weights.bin"}, {"offset", "4"}, {"length", "8"}}), folder_);
  EXPECT_THAT(initializer(graph).as_floats(), ElementsAre(1.0F, 2.0F));
  const Graph open = parse(file({{"location", "weights.bin"}, {"offset", "4"}}), folder_);
  EXPECT_EQ(initializer(open), initializer(graph));
}

TEST_F(ExternalData, MustLieInTheFolder) {
  write_file(folder_.parent_path() / "secret.bin", "12345678");
  const std::string words = "expected a file inside the model's folder";
  expect({{"location", "../secret.bin"}}, words);
  expect({{"location", "a/../../secret.bin"}}, words);
  expect({{"location", (folder_ / "weights.bin").string()}}, words);
  expect({}, words);
  std::filesystem::create_symlink("../secret.bin", folder_ / "link.bin");
  expect({{"location", "link.bin"}}, words);
}

TEST_F(ExternalData, MustBeThereAndLongEnough) {
  expect({{"location", "none.bin"}}, "none.bin");
  expect({{"location", "weights.bin"}, {"offset", "8"}, {"length", "8"}},
         "8 bytes from byte 8 of 'weights.bin', which has 12");
  expect({{"location", "weights.bin"}, {"offset", "18446744073709551615"}}, "which has 12");
  expect({{"location", "weights.bin"}, {"offset", "-4"}}, "offset of its external data is '-4'");
  expect({{"location", "weights.bin"}, {"length", "4"}}, "takes 8 bytes, got 4");
}

TEST_F(ExternalData, IsRefusedInMemory) {
  expect_refusal(file({{"location", "weights.bin"}}), "which a model read from memory cannot have");
}

}  // namespace
}  // namespace lastbit
