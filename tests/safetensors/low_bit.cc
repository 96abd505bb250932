#include "lastbit/safetensors/low_bit.h"

#include <array>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "files.h"
#include "lastbit/base/error.h"
#include "lastbit/base/random.h"
#include "lastbit/base/text.h"
#include "lastbit/quant/projector.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

LowBitTensor random_weight(const Shape& shape, int axis, std::string_view set, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = static_cast<float>(random.normal());
  const auto projector = parse_projector(set);
  const Quantized nearest = projector->project(values, channel_layout(shape, axis));
  return pack_lowbit(nearest, shape, axis, projector->name());
}

LowBitWeights all_kinds() {
  LowBitWeights weights;
  int seed = 0;
  for (const char* const set : {"binary/none",
                                "ternary/tensor",
                                "shift:2/channel",
                                "ternary/group:4",
                                "uniform:3/channel",
                                "pow2:2/tensor",
                                "kmeans:17"}) {
    for (int axis = 0; axis < 3; ++axis) {
      weights.low_bit.emplace(cat("layer", axis, ".", set),
                              random_weight({3, 5, 7}, axis, set, ++seed));
    }
  }
  weights.others = {{"bias", Tensor::floats({2}, std::array{1.0F, 2.0F})},
                    {"bias.codes", Tensor::scalar(3.0F)}};
  return weights;
}

TEST(LowBitSafetensors, ComeBackAsTheyWereWritten) {
  const TempFolder folder;
  for (const LowBitWeights& weights : {all_kinds(), LowBitWeights{}}) {
    write_low_bit_safetensors(folder.file("x"), weights);
    EXPECT_EQ(read_low_bit_safetensors(folder.file("x")), weights);
  }
}

TEST(LowBitSafetensors, AreDecodedByPlainPython) {
  if (std::system("python3 -c 'import json' >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "python3 is not installed";
  }
  const TempFolder folder;
  const LowBitWeights weights = all_kinds();
  write_low_bit_safetensors(folder.file("x"), weights);
  const std::string command = cat("python3 ",
                                  LASTBIT_DECODE_SCRIPT,
                                  " ",
                                  folder.file("x").string(),
                                  " > ",
                                  folder.file("values").string());
  ASSERT_EQ(std::system(command.c_str()), 0);

  std::string expected;
  for (const auto& [name, weight] : weights.low_bit) {
    expected += name + " ";
    const Tensor decoded = decode(weight);
    for (const std::byte byte : decoded.bytes()) {
      std::array<char, 3> hex{};
      std::snprintf(hex.data(), hex.size(), "%02x", std::to_integer<unsigned>(byte));
      expected += hex.data();
    }
    expected += "\n";
  }
  EXPECT_EQ(read_text(folder.file("values")), expected);
}

TEST(LowBitSafetensors, AreRefusedCutAtEveryByte) {
  const TempFolder folder;
  const LowBitWeights weights{.low_bit = {{"w", random_weight({2, 6}, 0, "ternary/channel", 1)}},
                              .others = {{"b", Tensor::scalar(1.0F)}}};
  write_low_bit_safetensors(folder.file("x"), weights);
  const auto size = std::filesystem::file_size(folder.file("x"));
  for (std::uintmax_t cut = size; cut-- > 0;) {
    std::filesystem::resize_file(folder.file("x"), cut);
    EXPECT_THROW(read_low_bit_safetensors(folder.file("x")), FormatError) << cut;
  }
}

// The file of one ternary weight "w" of shape [2, 6], as plain tensors.
class BrokenWeight : public testing::Test {
 protected:
  void SetUp() override {
    write_low_bit_safetensors(
        folder_.file("x"),
        {.low_bit = {{"w", random_weight({2, 6}, 0, "ternary/group:4", 1)}}, .others = {}});
    file_ = read_safetensors(folder_.file("x"));
  }

  void expect_refused(const std::string& sentence) const {
    write_safetensors(folder_.file("y"), file_);
    EXPECT_THAT([&] { read_low_bit_safetensors(folder_.file("y")); },
                ThrowsMessage<FormatError>(HasSubstr(sentence)));
  }

  Tensor& part(const std::string& name) { return file_.tensors.at("w." + name); }

  TempFolder folder_;
  Safetensors file_;
};

TEST_F(BrokenWeight, LacksAPart) {
  for (const char* const name : {"codes", "codebook", "scales", "shape"}) {
    const auto node = file_.tensors.extract(cat("w.", name));
    expect_refused(cat("weight 'w': [safetensors] no tensor is called 'w.", name, "'"));
    file_.tensors.emplace(node.key(), node.mapped());
  }
}

TEST_F(BrokenWeight, HasAPartOfAnotherTypeOrRank) {
  const Tensor codes = part("codes");
  part("codes") = Tensor::scalar(1.0F);
  expect_refused("tensor 'w.codes' is float32 [], expected uint8 of 1 dimension");
  part("codes") = {DType::kUint8, {1, codes.size()}, codes.bytes()};
  expect_refused("tensor 'w.codes' is uint8 [1, 3], expected uint8 of 1 dimension");
}

TEST_F(BrokenWeight, HasLevelsThatAreNoCodebook) {
  part("codebook") = Tensor::floats({3}, std::array{1.0F, 0.0F, -1.0F});
  expect_refused("weight 'w': [codebook]");
}

TEST_F(BrokenWeight, HasCodesThatAreNone) {
  std::vector<std::byte> bytes(3, std::byte{255});
  part("codes") = {DType::kUint8, {3}, bytes};
  expect_refused("bytes[0] is 255, expected less than 243");
  part("codes") = {DType::kUint8, {2}, std::span(bytes).first(2)};
  expect_refused("2 bytes, expected 3 for 12 digits");
}

TEST_F(BrokenWeight, HasShapesThatDoNotFit) {
  const Tensor scales = part("scales");
  part("scales") = Tensor::floats({2}, std::array{1.0F, 2.0F});
  expect_refused("scales of shape [2]");
  part("scales") = scales;
  part("group") = Tensor::int64s({3}, std::array<std::int64_t, 3>{4, 3, 6});
  expect_refused("channels laid out as [3, 2, 6] do not fit");
  part("group") = Tensor::int64s({1}, std::array<std::int64_t, 1>{4});
  expect_refused("tensor 'w.group' is not the size of a group");
  part("group") = Tensor::int64s({3}, std::array<std::int64_t, 3>{-4, 1, 6});
  expect_refused("tensor 'w.group' is not the size of a group");
}

TEST_F(BrokenWeight, IsOfANewerVersion) {
  file_.metadata = {{"lastbit.v2.set.w", "ternary"}};
  expect_refused("has the metadata 'lastbit.v2.set.w', expected 'lastbit.v1.set.'");
}

TEST(LowBitSafetensors, AreNotWrittenUnderNamesThatCollide) {
  const TempFolder folder;
  LowBitWeights weights{.low_bit = {{"w", random_weight({2, 6}, 0, "ternary", 1)}},
                        .others = {{"w.codes", Tensor::scalar(1.0F)}}};
  EXPECT_THAT([&] { write_low_bit_safetensors(folder.file("x"), weights); },
              ThrowsMessage<InputError>(HasSubstr("two tensors would be called 'w.codes'")));
  weights.others.clear();
  weights.low_bit.at("w").scales = {-1.0F};
  EXPECT_THROW(write_low_bit_safetensors(folder.file("x"), weights), InputError);
  EXPECT_FALSE(std::filesystem::exists(folder.file("x")));
}

}  // namespace
}  // namespace lastbit
