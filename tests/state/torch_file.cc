#include "lastbit/state/torch_file.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "tests/state/pickles.h"

namespace lastbit {
namespace {

using pickles::call;
using pickles::dict;
using pickles::global;
using pickles::integer;
using pickles::legacy;
using pickles::ordered;
using pickles::pickle;
using pickles::sizes;
using pickles::storage;
using pickles::Stored;
using pickles::stored;
using pickles::tensor;
using pickles::text;
using pickles::tuple;
using pickles::zipped;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TorchFile : public ::testing::Test {
 protected:
  static std::vector<StateTensor> open(const std::string& bytes) {
    // Exactly as large as the input, so that the sanitizer sees what is read beyond it.
    const auto exact = std::make_shared<std::vector<char>>(bytes.begin(), bytes.end());
    return read_torch(std::as_bytes(std::span(*exact)), exact, "[pytorch] a.pth");
  }
  // Everything that a reader may meet: the file, its tensors, their elements.
  static std::string error_with(const std::string& bytes) {
    return error_of([&] {
      for (const StateTensor& tensor : open(bytes)) tensor.read();
    });
  }

  const std::string two_by_three_ = tensor(storage("FloatStorage", "7", 6), {2, 3}, {3, 1});
  const std::vector<Stored> one_to_six_ = {stored("7", {1, 2, 3, 4, 5, 6})};
};

TEST_F(TorchFile, ReadsBothFormatsInTheirOrder) {
  const std::string object =
      ordered({{"fc.weight", two_by_three_},
               {"fc.bias", tensor(storage("FloatStorage", "5", 2), {2}, {1})}});
  const std::vector<Stored> storages = {stored("5", {7, 8}), one_to_six_[0]};
  for (const std::string& file : {legacy(object, storages), zipped(object, storages)}) {
    const std::vector<StateTensor> state = open(file);
    ASSERT_EQ(state.size(), 2U);
    EXPECT_EQ(state[0].name, "fc.weight");
    EXPECT_EQ(state[0].shape, (Shape{2, 3}));
    EXPECT_THAT(state[0].read(), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_EQ(state[1].name, "fc.bias");
    EXPECT_THAT(state[1].read(), ElementsAre(7, 8));
  }
}

TEST_F(TorchFile, FollowsStridesAndOffsets) {
  const std::string six = storage("FloatStorage", "7", 6);
  const auto state = open(zipped(ordered({{"turned", tensor(six, {3, 2}, {1, 3})},
                                          {"part", tensor(six, {2, 1}, {3, 1}, 2)},
                                          {"one", tensor(six, {}, {}, 4)},
                                          {"none", tensor(six, {0, 9}, {9, 1}, 6)}}),
                                 one_to_six_));
  EXPECT_THAT(state[0].read(), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(state[1].read(), ElementsAre(3, 6));
  EXPECT_THAT(state[2].read(), ElementsAre(5));
  EXPECT_THAT(state[3].read(), ElementsAre());
}

TEST_F(TorchFile, ConvertsOtherFloats) {
  const auto object = [](const std::string& type, std::int64_t count) {
    return ordered({{"x", tensor(storage(type, "0", count), {count}, {1})}});
  };
  const auto read = [&](const std::string& type, std::int64_t count, const std::string& bytes) {
    return open(legacy(object(type, count), {{"0", count, bytes}}))[0].read();
  };
  EXPECT_THAT(read("DoubleStorage", 2, raw<double>({0.1, -3})), ElementsAre(0.1F, -3));
  // 1, -2, the least subnormal, the greatest and the least normal number.
  EXPECT_THAT(read("HalfStorage", 5, raw<std::uint16_t>({0x3c00, 0xc000, 1, 0x7bff, 0x0400})),
              ElementsAre(1, -2, std::ldexp(1.0F, -24), 65504, std::ldexp(1.0F, -14)));
  EXPECT_THAT(read("BFloat16Storage", 2, raw<std::uint16_t>({0x3fc0, 0xbf80})),
              ElementsAre(1.5F, -1));
  EXPECT_THAT(error_with(legacy(object("DoubleStorage", 1), {{"0", 1, raw<double>({1e300})}})),
              HasSubstr("tensor 'x' has at [0] the value inf as float32"));
  EXPECT_THAT(
      error_with(legacy(object("HalfStorage", 1), {{"0", 1, raw<std::uint16_t>({0x7e00})}})),
      HasSubstr("the value nan"));
  EXPECT_THAT(error_with(legacy(object("LongStorage", 1), {{"0", 1, raw<std::int64_t>({1})}})),
              HasSubstr("tensor 'x' has elements of type int64, expected float32"));
}

TEST_F(TorchFile, OpensCheckpointsAndParameters) {
  const std::string parameter =
      call(global("torch._utils", "_rebuild_parameter"), {two_by_three_, "\x88", ordered({})});
  const std::string momentum = tensor(storage("DoubleStorage", "3", 1), {1}, {1});
  const std::string object =
      dict({{"epoch", integer(3)},
            {"best",
             call(global("numpy.core.multiarray", "scalar"),
                  {call(global("numpy", "dtype"), {text("f8")}), "C\x01z"})},
            {"model", dict({{"state_dict", ordered({{"module.w", parameter}})}})},
            {"optimizer", dict({{"momentum", momentum}})}});
  const std::vector<Stored> storages = {{"3", 1, raw<double>({9})}, one_to_six_[0]};
  for (const std::string& file : {legacy(object, storages), zipped(object, storages)}) {
    const std::vector<StateTensor> state = open(file);
    ASSERT_EQ(state.size(), 1U);
    EXPECT_EQ(state[0].name, "module.w");
    EXPECT_THAT(state[0].read(), ElementsAre(1, 2, 3, 4, 5, 6));
  }
}

TEST_F(TorchFile, ReadsStoragesOfBytes) {
  const std::string bytes = tuple({text("storage"),
                                   global("torch.storage", "UntypedStorage"),
                                   text("7"),
                                   text("cpu"),
                                   integer(24)}) +
                            "Q";
  const auto typed = [&](const std::vector<std::int64_t>& shape) {
    return zipped(ordered({{"w",
                            call(global("torch._utils", "_rebuild_tensor_v3"),
                                 {bytes,
                                  integer(0),
                                  sizes(shape),
                                  sizes({1}),
                                  "\x89",
                                  ordered({}),
                                  global("torch", "float32")})}}),
                  one_to_six_);
  };
  EXPECT_THAT(open(typed({6}))[0].read(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(error_with(typed({7})), HasSubstr("does not lie in its storage of 6"));
}

TEST_F(TorchFile, RefusesTensorsOutsideTheirStorage) {
  const std::string six = storage("FloatStorage", "7", 6);
  const auto refuse = [&](const std::string& value, const std::string& expected) {
    EXPECT_THAT(error_with(zipped(ordered({{"w", value}}), one_to_six_)), HasSubstr(expected));
    EXPECT_THAT(error_with(legacy(ordered({{"w", value}}), one_to_six_)), HasSubstr(expected));
  };
  constexpr std::int64_t kLarge = std::int64_t{1} << 62;
  refuse(tensor(six, {7}, {1}), "'w' of shape [7] with strides [1] from element 0 does not lie");
  refuse(tensor(six, {2}, {1}, 5), "does not lie in its storage of 6");
  refuse(tensor(six, {2, 2}, {5, 1}), "does not lie");
  refuse(tensor(six, {1000000, 1000000}, {0, 0}), "does not lie");
  refuse(tensor(six, {kLarge, kLarge, kLarge}, {1, 1, 1}), "does not lie");
  refuse(tensor(six, {3}, {kLarge}), "does not lie");
  refuse(tensor(six, {1}, {1}, std::numeric_limits<std::int64_t>::max()), "does not lie");
  refuse(tensor(six, {1}, {-1}), "expected a number and two tuples of one length");
  refuse(tensor(six, {-1}, {1}), "expected a number and two tuples of one length");
  refuse(tensor(six, {1, 1}, {1}), "expected a number and two tuples of one length");
  refuse(tensor("N", {1}, {1}), "'w' has no storage");
  refuse(tensor(storage("FloatStorage", "7", -1), {1}, {1}), "describes a storage by other values");
  refuse(tensor(storage("device", "7", 6), {1}, {1}), "a storage of the class torch.device");
}

TEST_F(TorchFile, RefusesStoragesOfAnotherSize) {
  const std::string object = ordered({{"w", tensor(storage("FloatStorage", "7", 5), {5}, {1})}});
  EXPECT_THAT(error_with(zipped(object, one_to_six_)),
              HasSubstr("has a storage of 24 bytes, expected 5 times 4"));
  EXPECT_THAT(error_with(legacy(object, one_to_six_)), HasSubstr("6 elements, expected 5"));
  EXPECT_THAT(error_with(zipped(object, {})), HasSubstr("lacks the entry net/data/7"));
  EXPECT_THAT(error_with(legacy(object, {})), HasSubstr("a storage that the file lacks"));
  const std::string huge =
      ordered({{"w", tensor(storage("FloatStorage", "7", std::int64_t{1} << 62), {5}, {1})}});
  EXPECT_THAT(error_with(legacy(huge, {{"7", std::int64_t{1} << 62, ""}})),
              HasSubstr("the file has room for 0"));
}

TEST_F(TorchFile, RefusesOtherFilesBySentence) {
  const std::string object = ordered({{"w", two_by_three_}});
  EXPECT_THAT(error_with(legacy(object, one_to_six_, false)), HasSubstr("big-endian machine"));
  EXPECT_THAT(error_with(zipped(object, one_to_six_, "big")), HasSubstr("the byte order 'big'"));
  EXPECT_THAT(error_with(pickle(object)), HasSubstr("is a pickle, but no file of torch.save"));
  EXPECT_THAT(error_with(zip64({{"a.txt", "x"}})), HasSubstr("zip archive without data.pkl"));
  EXPECT_THAT(error_with(zip64({{"net/data.pkl", pickle("N")}, {"net/constants.pkl", ""}})),
              HasSubstr("TorchScript program"));
  EXPECT_THAT(error_with("hello"), HasSubstr("neither a zip archive nor a pickle"));
  EXPECT_THAT(error_with(""), HasSubstr("neither a zip archive nor a pickle"));
  EXPECT_THAT(error_with(zipped("N", {})), HasSubstr("holds no dictionary"));
  EXPECT_THAT(error_with(zipped(dict({{"epoch", "K\x01"}, {"args", "N"}}), {})),
              HasSubstr("holds no tensors by name; its keys are: epoch, args"));
  EXPECT_THAT(
      error_with(zipped(ordered({{"w", two_by_three_}, {"w", two_by_three_}}), one_to_six_)),
      HasSubstr("has two tensors of the name 'w'"));
  // A state dict that holds itself.
  EXPECT_THAT(error_with(zipped("}q\1" + text("state_dict") + "h\1s", {})),
              HasSubstr("holds no tensors by name"));
}

// Any change of a file is refused with a sentence, or gives tensors that could be read.
TEST_F(TorchFile, SurvivesDamage) {
  const std::string object =
      dict({{"epoch", integer(3)}, {"state_dict", ordered({{"module.w", two_by_three_}})}});
  const std::string old = legacy(object, one_to_six_);
  for (const std::string& file : {old, zipped(object, one_to_six_)}) {
    for (std::size_t size = 0; size < file.size(); ++size) {
      EXPECT_THAT(error_with(file.substr(0, size)), StartsWith("[pytorch] ")) << size;
    }
    for (std::size_t bit = 0; bit < 8 * file.size(); bit += 3) {
      std::string changed = file;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
      EXPECT_THAT(error_with(changed), AnyOf("no exception", StartsWith("[pytorch] "))) << bit;
    }
  }
  // The pickles of the old format have no checksum, so that many changes at once reach the machine.
  constexpr std::string_view kOpcodes =
      ".(01NKMJGXqhRbtae}])sucQ\x80\x81\x85\x86\x87\x88\x8a\x93\x94";
  for (std::uint64_t i = 0; i < 3000; ++i) {
    Random random(i, 0);
    std::string changed = old;
    for (std::uint64_t n = 1 + random.below(6); n-- > 0;) {
      const std::size_t at = random.below(changed.size());
      const char byte = random.below(2) == 0 ? kOpcodes[random.below(kOpcodes.size())]
                                             : static_cast<char>(random.below(256));
      if (random.below(4) == 0) {
        changed.insert(at, 1, byte);
      } else {
        changed[at] = byte;
      }
    }
    EXPECT_THAT(error_with(changed), AnyOf("no exception", StartsWith("[pytorch] "))) << i;
  }
}

}  // namespace
}  // namespace lastbit
