#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/graph/onnx.h"
#include "lastbit/runtime/lastbit.h"
#include "lastbit/runtime/session.h"

// The C functions against the C++ class, and what they say of bad input.

namespace lastbit {
namespace {

using testing::HasSubstr;

// y = relu(x w) of one row of 3 values, of any number of rows.
Graph small_graph() {
  Graph graph;
  graph.inputs = {{.name = "x", .dims = {{.symbol = "batch"}, {.size = 3}}}};
  graph.outputs = {{.name = "y", .dims = {{.symbol = "batch"}, {.size = 2}}}};
  graph.initializers.emplace("w", Tensor::floats({3, 2}, std::vector<float>{1, -1, 2, -2, 3, -3}));
  graph.nodes.resize(2);
  graph.nodes[0].op = "MatMul";
  graph.nodes[0].inputs = {"x", "w"};
  graph.nodes[0].outputs = {"xw"};
  graph.nodes[1].op = "Relu";
  graph.nodes[1].inputs = {"xw"};
  graph.nodes[1].outputs = {"y"};
  return graph;
}

class CApi : public testing::Test {
 protected:
  lastbit_session* load(const lastbit_options* options = nullptr) const {
    return lastbit_load_memory(bytes_.data(), bytes_.size(), options);
  }

  std::string bytes_ = serialize_onnx(small_graph());
};

TEST_F(CApi, SaysWhichInputsAreIntegers) {
  Graph graph = small_graph();
  graph.inputs[0].type = DType::kInt64;
  Node cast;
  cast.op = "Cast";
  cast.inputs = {"x"};
  cast.outputs = {"floats"};
  cast.attributes.emplace("to", std::int64_t{1});
  graph.nodes.front().inputs.front() = "floats";
  graph.nodes.insert(graph.nodes.begin(), cast);
  bytes_ = serialize_onnx(graph);
  lastbit_session* session = load();
  ASSERT_NE(session, nullptr) << lastbit_last_error();
  EXPECT_EQ(lastbit_input(session, 0)->integers, 1);
  EXPECT_EQ(lastbit_output(session, 0)->integers, 0);
  std::vector<float> x{1, 2, 3};
  std::vector<float> y(2);
  const float* inputs[] = {x.data()};
  float* outputs[] = {y.data()};
  EXPECT_EQ(lastbit_run(session, inputs, outputs), 0);
  EXPECT_EQ(y[0], 14.0F);
  x[1] = 2.5F;
  EXPECT_NE(lastbit_run(session, inputs, outputs), 0);
  EXPECT_THAT(lastbit_last_error(), HasSubstr("'x' holds 2.5 at 1, expected integers"));
  lastbit_free(session);
}

TEST_F(CApi, RunsAModelFromMemory) {
  lastbit_options options = lastbit_default_options();
  options.batch = 2;
  lastbit_session* session = load(&options);
  ASSERT_NE(session, nullptr) << lastbit_last_error();
  ASSERT_EQ(lastbit_input_count(session), 1U);
  ASSERT_EQ(lastbit_output_count(session), 1U);
  const lastbit_port* input = lastbit_input(session, 0);
  EXPECT_STREQ(input->name, "x");
  ASSERT_EQ(input->rank, 2U);
  EXPECT_EQ(input->shape[0], 2);
  EXPECT_EQ(input->shape[1], 3);
  EXPECT_EQ(input->size, 6U);
  EXPECT_EQ(lastbit_output(session, 0)->size, 4U);

  const std::vector<float> x = {1, 2, 3, -1, -2, -3};
  std::vector<float> y(4);
  const float* inputs[] = {x.data()};
  float* outputs[] = {y.data()};
  ASSERT_EQ(lastbit_run(session, inputs, outputs), 0) << lastbit_last_error();
  EXPECT_EQ(y, (std::vector<float>{14, 0, 0, 14}));
  lastbit_free(session);
}

TEST_F(CApi, SizesDimensionsByName) {
  Graph graph = small_graph();
  graph.inputs[0].dims = {{.symbol = "steps"}, {.symbol = "values"}};
  bytes_ = serialize_onnx(graph);
  const lastbit_size sizes[] = {{"values", 3}, {"steps", 5}};
  lastbit_options options = lastbit_default_options();
  options.sizes = sizes;
  options.size_count = 2;
  lastbit_session* session = load(&options);
  ASSERT_NE(session, nullptr) << lastbit_last_error();
  EXPECT_EQ(lastbit_input(session, 0)->shape[0], 5);
  EXPECT_EQ(lastbit_input(session, 0)->shape[1], 3);
  EXPECT_EQ(lastbit_output(session, 0)->size, 10U);
  lastbit_free(session);
}

TEST_F(CApi, RunsAFileAsFromMemory) {
  const std::string path = testing::TempDir() + "lastbit_c_api.onnx";
  write_onnx(path, small_graph());
  lastbit_session* session = lastbit_load(path.c_str(), nullptr);
  ASSERT_NE(session, nullptr) << lastbit_last_error();
  EXPECT_EQ(lastbit_input(session, 0)->size, 3U);
  lastbit_free(session);
}

TEST_F(CApi, ForksOutliveTheSessionTheyComeFrom) {
  lastbit_session* session = load();
  ASSERT_NE(session, nullptr) << lastbit_last_error();
  lastbit_session* fork = lastbit_fork(session);
  lastbit_free(session);
  ASSERT_NE(fork, nullptr) << lastbit_last_error();
  const std::vector<float> x = {1, 0, 0};
  std::vector<float> y(2, 7);
  const float* inputs[] = {x.data()};
  float* outputs[] = {y.data()};
  EXPECT_EQ(lastbit_run(fork, inputs, outputs), 0);
  EXPECT_EQ(y, (std::vector<float>{1, 0}));
  EXPECT_STREQ(lastbit_output(fork, 0)->name, "y");
  lastbit_free(fork);
}

TEST_F(CApi, SaysWhatIsWrongWithInput) {
  EXPECT_EQ(lastbit_load("/nowhere/model.onnx", nullptr), nullptr);
  EXPECT_THAT(lastbit_last_error(), HasSubstr("/nowhere/model.onnx"));
  EXPECT_EQ(lastbit_load(nullptr, nullptr), nullptr);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_load] path is NULL, expected an address");
  EXPECT_EQ(lastbit_load_memory("junk", 4, nullptr), nullptr);
  EXPECT_STRNE(lastbit_last_error(), "");
  EXPECT_EQ(lastbit_fork(nullptr), nullptr);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_fork] session is NULL, expected an address");
  EXPECT_EQ(lastbit_run(nullptr, nullptr, nullptr), 1);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_run] session is NULL, expected an address");
  lastbit_free(nullptr);
}

// A cut between two fields may leave a whole model.
TEST_F(CApi, RefusesEmptyAndCutModelsInOneSentence) {
  std::size_t loaded = 0;
  for (std::size_t size = 0; size < bytes_.size(); ++size) {
    lastbit_session* session = lastbit_load_memory(bytes_.data(), size, nullptr);
    if (session != nullptr) {
      ++loaded;
      lastbit_free(session);
      continue;
    }
    const std::string error = lastbit_last_error();
    EXPECT_EQ(error.find('['), 0U) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  }
  EXPECT_LE(loaded, 6U);
}

TEST_F(CApi, NamesTheOperatorThatIsNotThere) {
  Graph graph = small_graph();
  graph.nodes[1].op = "Erf";
  bytes_ = serialize_onnx(graph);
  EXPECT_EQ(load(), nullptr);
  EXPECT_THAT(lastbit_last_error(), HasSubstr("(Erf): operator is not supported"));
}

TEST_F(CApi, RefusesInputsThatAreNotFiniteForInt8) {
  lastbit_options options = lastbit_default_options();
  options.activations = "int8";
  lastbit_session* session = load(&options);
  ASSERT_NE(session, nullptr) << lastbit_last_error();
  const float x[3] = {1, INFINITY, 0};
  float y[2];
  const float* inputs[] = {x};
  float* outputs[] = {y};
  EXPECT_EQ(lastbit_run(session, inputs, outputs), 1);
  EXPECT_STREQ(lastbit_last_error(),
               "[runtime] input 'x' holds inf at 1, expected finite values for int8 activations");
  lastbit_free(session);
}

TEST_F(CApi, RefusesASessionThatIsNull) {
  EXPECT_EQ(lastbit_input_count(nullptr), 0U);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_input_count] session is NULL, expected an address");
  EXPECT_EQ(lastbit_output_count(nullptr), 0U);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_output_count] session is NULL, expected an address");
  EXPECT_EQ(lastbit_input(nullptr, 0), nullptr);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_input] session is NULL, expected an address");
  EXPECT_EQ(lastbit_output(nullptr, 0), nullptr);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_output] session is NULL, expected an address");
}

TEST_F(CApi, SaysWhatIsWrongWithOptions) {
  lastbit_options options = lastbit_default_options();
  options.kernels = "abacus";
  EXPECT_EQ(load(&options), nullptr);
  EXPECT_THAT(lastbit_last_error(), HasSubstr("'abacus'"));
  options = lastbit_default_options();
  options.activations = "int3";
  EXPECT_EQ(load(&options), nullptr);
  EXPECT_STREQ(lastbit_last_error(),
               "[runtime] the activations are 'int3', expected float or int8");
  options = lastbit_default_options();
  options.kernels = nullptr;
  EXPECT_EQ(load(&options), nullptr);
  EXPECT_THAT(lastbit_last_error(), HasSubstr("options.kernels is NULL"));
  options = lastbit_default_options();
  options.batch = 0;
  EXPECT_EQ(load(&options), nullptr);
  EXPECT_STREQ(lastbit_last_error(), "[runtime] the batch is 0, expected at least 1");
  options = lastbit_default_options();
  options.threads = 1000;
  EXPECT_EQ(load(&options), nullptr);
  EXPECT_THAT(lastbit_last_error(), HasSubstr("threads is 1000, expected 1 to 256"));
  options = lastbit_default_options();
  options.memory_limit = 8;
  EXPECT_EQ(load(&options), nullptr);
  EXPECT_STREQ(lastbit_last_error(),
               "[runtime] value 'x' of shape [1, 3] takes more than the limit of memory, 8 bytes");
  options = lastbit_default_options();
  options.size_count = 1;
  EXPECT_EQ(load(&options), nullptr);
  EXPECT_THAT(lastbit_last_error(), HasSubstr("options.sizes is NULL"));
  const lastbit_size unnamed{};
  options.sizes = &unnamed;
  EXPECT_EQ(load(&options), nullptr);
  EXPECT_THAT(lastbit_last_error(), HasSubstr("options.sizes[].dimension is NULL"));
  options = {};
  EXPECT_EQ(load(&options), nullptr);
  EXPECT_THAT(lastbit_last_error(), HasSubstr("struct_size is 0"));
}

TEST_F(CApi, SaysWhichArrayIsMissing) {
  lastbit_session* session = load();
  ASSERT_NE(session, nullptr) << lastbit_last_error();
  float y[2];
  const float* inputs[] = {nullptr};
  float* outputs[] = {y};
  EXPECT_EQ(lastbit_run(session, inputs, outputs), 1);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_run] inputs[0] ('x') is NULL, expected 3 floats");
  EXPECT_EQ(lastbit_run(session, nullptr, outputs), 1);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_run] inputs is NULL, expected an address");
  const float x[3] = {};
  inputs[0] = x;
  EXPECT_EQ(lastbit_run(session, inputs, nullptr), 1);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_run] outputs is NULL, expected an address");
  outputs[0] = nullptr;
  EXPECT_EQ(lastbit_run(session, inputs, outputs), 1);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_run] outputs[0] ('y') is NULL, expected 2 floats");
  EXPECT_EQ(lastbit_input(session, 1), nullptr);
  EXPECT_STREQ(lastbit_last_error(), "[lastbit_input] index 1 of 1 ports");
  lastbit_free(session);
}

}  // namespace
}  // namespace lastbit
