#pragma once

#include <string>

#include <gmock/gmock.h>

#include "tests/cli/training_test.h"

namespace lastbit {

/// What commands make of `float.onnx`, a network with random weights.
class CompressionTest : public TrainingTest {
 protected:
  void SetUp() override { make_model("float.onnx"); }

  /// @param usual  options that stand before those of a test, `more`.
  static Words on_model(const std::string& command,
                        const Words& usual,
                        const Words& more,
                        const std::string& run) {
    Words words = {command, "float.onnx", "--batch", "25"};
    words.insert(words.end(), usual.begin(), usual.end());
    words.insert(words.end(), {"--run", run});
    return training(words, more);
  }
  void expect_refused(const Words& words, const Words& expected) const {
    expect_refusal(lastbit(words), expected);
    EXPECT_THAT(names(), ::testing::ElementsAre("float.onnx"));
  }
};

}  // namespace lastbit
