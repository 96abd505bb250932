#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/cli/digest.h"
#include "lastbit/graph/onnx.h"
#include "tests/cli/program.h"
#include "tests/cli/small_language_model.h"

// `lastbit verify` for models that are no classifiers.

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class VerifyModels : public CommandTest {
 protected:
  void write_signed(Graph graph) const {
    graph.metadata[kDigestKey] = weights_digest(graph);
    write_onnx(path("m.onnx"), graph);
  }
};

TEST_F(VerifyModels, RunsALanguageModelOnRandomTokens) {
  write_signed(small_language_model());
  const Finished run = succeed({"verify", "m.onnx"});
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("ok    runtime agrees with LibTorch within 0.0001 on 700 random"),
                    HasSubstr("ok    kernels 'scalar' agrees"),
                    HasSubstr("m.onnx: verified"),
                    Not(HasSubstr("FAIL"))));
  expect_refusal(lastbit({"verify", "m.onnx", "--data", "digits"}), {"language model", "--data"});
}

TEST_F(VerifyModels, NeedsDataForOthers) {
  succeed({"zoo", "mlp", "--hidden", "4", "--out", "m.onnx"});
  write_signed(read_onnx(path("m.onnx")));
  expect_refusal(lastbit({"verify", "m.onnx"}), {"--data"});
}

}  // namespace
}  // namespace lastbit
