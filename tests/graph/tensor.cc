#include "lastbit/graph/tensor.h"

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Tensor, KeepsTypeShapeAndElements) {
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const Tensor tensor = Tensor::floats({2, 3}, values);
  EXPECT_EQ(tensor.type(), DType::kFloat);
  EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
  EXPECT_THAT(tensor.as_floats(), ::testing::ElementsAreArray(values));
}

TEST(Tensor, AlignsElementsTo64Bytes) {
  for (const std::int64_t size : {1, 3, 1000}) {
    const std::vector<float> values(static_cast<std::size_t>(size), 1.0F);
    const Tensor tensor = Tensor::floats({size}, values);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.as_floats().data()) % 64, 0U);
  }
}

TEST(Tensor, CopiesShareTheirBytes) {
  const Tensor tensor = Tensor::scalar(2.0F);
  const Tensor copy = tensor;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_EQ(copy.bytes().data(), tensor.bytes().data());
}

TEST(Tensor, MayBeEmptyOrAScalar) {
  EXPECT_EQ(Tensor().shape(), Shape{0});
  EXPECT_EQ(Tensor::scalar(1.5F).shape(), Shape{});
  EXPECT_EQ(Tensor::scalar(1.5F).size(), 1);
  EXPECT_EQ(Tensor::floats({3, 0}, {}).size(), 0);
}

TEST(Tensor, RefusesBytesThatDoNotFitItsShape) {
  const std::array<float, 3> three{};
  EXPECT_THAT(
      [&] {
        return Tensor::floats({2, 2}, three);
      },
      ThrowsMessage<InputError>(HasSubstr("[2, 2] of float32 takes 16 bytes, got 12")));
  const std::array<std::byte, 5> five{};
  EXPECT_THROW(Tensor(DType::kInt32, {1}, five), InputError);
}

TEST(Tensor, RefusesTypesWithoutASize) {
  EXPECT_THAT([] { return Tensor(DType::kString, {0}, {}); },
              ThrowsMessage<InputError>(HasSubstr("string (8) cannot be held")));
  EXPECT_THROW(Tensor(static_cast<DType>(99), {0}, {}), InputError);
}

TEST(Tensor, RefusesHostileShapes) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(Tensor(DType::kFloat, {-1}, {}), InputError);
  EXPECT_THROW(Tensor(DType::kFloat, {kHuge, kHuge}, {}), InputError);
  EXPECT_THROW(Tensor(DType::kFloat, {0, kHuge, 4}, {}), InputError);
  EXPECT_THROW(Tensor(DType::kUint8, {std::int64_t{1} << 32, std::int64_t{1} << 32}, {}),
               InputError);
}

TEST(Tensor, RefusesToGiveElementsOfAnotherType) {
  EXPECT_THAT([] { return Tensor::scalar(1).as_int64s(); },
              ThrowsMessage<InputError>("[tensor] elements are float32, expected int64"));
}

TEST(Tensor, ComparesBits) {
  const std::array<float, 1> zero{0.0F};
  const std::array<float, 1> minus_zero{-0.0F};
  EXPECT_EQ(Tensor::floats({1}, zero), Tensor::floats({1}, zero));
  EXPECT_NE(Tensor::floats({1}, zero), Tensor::floats({1}, minus_zero));
  EXPECT_NE(Tensor::floats({1}, zero), Tensor::floats({1, 1}, zero));
}

TEST(ElementCount, IsCheckedAgainstOverflow) {
  EXPECT_EQ(checked_element_count(Shape{}), 1);
  EXPECT_EQ(checked_element_count(Shape{2, 3, 4}), 24);
  EXPECT_EQ(checked_element_count(Shape{0, 7}), 0);
  EXPECT_EQ(checked_element_count(Shape{std::int64_t{1} << 60}), std::int64_t{1} << 60);
  EXPECT_EQ(checked_element_count(Shape{std::int64_t{1} << 60, 2}), std::nullopt);
  EXPECT_EQ(checked_element_count(Shape{2, -1}), std::nullopt);
}

}  // namespace
}  // namespace lastbit
