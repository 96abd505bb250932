#include <string>

#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/graph/onnx.h"
#include "lastbit/graph/shapes.h"
#include "tests/graph/models.h"

// Whatever the bytes are, the reader gives a graph or an `InputError`, and so does shape inference.

namespace lastbit {
namespace {

// True if the bytes were refused.
bool refused(const std::string& bytes) {
  try {
    const Graph graph = parse_onnx(std::as_bytes(std::span(bytes)));
    infer_shapes(graph, 1);
    return false;
  } catch (const InputError&) {
    return true;
  }
}

struct Form {
  bool inline_body;
  bool by_group;
};

class Corruption : public ::testing::TestWithParam<Form> {
 protected:
  std::string bytes_ = serialize_onnx(GetParam().by_group ? grouped_graph() : small_graph(),
                                      {.inline_decode = GetParam().inline_body});
};

TEST_P(Corruption, OfACutFileIsRefused) {
  ASSERT_FALSE(refused(bytes_));
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < bytes_.size(); ++size) {
    if (!refused(bytes_.substr(0, size))) ++accepted;
  }
  // A cut between two fields of the model, after the graph and the opset, leaves a whole model.
  EXPECT_LE(accepted, 6U);
}

TEST_P(Corruption, OfABitIsSurvived) {
  std::size_t refusals = 0;
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = bytes_;
      bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ (1U << bit));
      if (refused(bad)) ++refusals;
    }
  }
  EXPECT_GT(refusals, bytes_.size());
}

TEST_P(Corruption, OfAByteIsSurvived) {
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    for (const char value : {'\x00', '\x7f', '\x80', '\xff'}) {
      std::string bad = bytes_;
      bad[i] = value;
      refused(bad);
    }
  }
}

TEST_P(Corruption, OfManyBytesIsSurvived) {
  Random random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string bad = bytes_;
    for (std::uint64_t n = random.below(12) + 1; n > 0; --n) {
      bad[random.below(bad.size())] = static_cast<char>(random.below(256));
    }
    refused(bad);
  }
}

INSTANTIATE_TEST_SUITE_P(
    EveryForm,
    Corruption,
    ::testing::Values(Form{false, false}, Form{true, false}, Form{false, true}, Form{true, true}),
    [](const auto& form) {
      return std::string(form.param.inline_body ? "Inline" : "Call") +
             (form.param.by_group ? "ByGroup" : "");
    });

TEST(Corruption, RandomBytesAreRefused) {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random.below(400), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.below(256));
    EXPECT_TRUE(refused(bytes));
  }
}

TEST(Corruption, DeepNestingIsSurvived) {
  // Each level is a message that holds the next one in field 7, as a graph in a model would be.
  std::string bytes;
  for (int level = 0; level < 20'000 && bytes.size() < 2'000'000; ++level) {
    std::string size;
    for (std::size_t left = bytes.size(); true; left >>= 7U) {
      size += static_cast<char>((left & 0x7FU) | (left > 0x7FU ? 0x80U : 0U));
      if (left <= 0x7FU) break;
    }
    size.insert(0, 1, '\x3a');
    bytes.insert(0, size);
  }
  EXPECT_TRUE(refused(bytes));
}

}  // namespace
}  // namespace lastbit
