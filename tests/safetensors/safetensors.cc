#include "lastbit/safetensors/safetensors.h"

#include <array>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "files.h"
#include "lastbit/base/error.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Tensor bytes_of(DType type, Shape shape) {
  const auto count = static_cast<std::size_t>(element_count(shape)) * element_size(type);
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i + 1);
  return {type, std::move(shape), bytes};
}

Safetensors small() {
  return {.tensors = {{"codes", bytes_of(DType::kUint8, {3})},
                      {"scale", Tensor::scalar(0.5F)},
                      {"w", Tensor::floats({2, 1}, std::array{1.0F, -2.0F})}},
          .metadata = {{"format", "pt"}}};
}

TEST(Safetensors, ComeBackAsTheyWereWritten) {
  const TempFolder folder;
  Safetensors all{.tensors = {{"", Tensor::scalar(1.0F)},
                              {"empty", bytes_of(DType::kFloat, {4, 0, 2})},
                              {"a \"quoted\"\n\\ name, \xc3\xa9", bytes_of(DType::kInt8, {5})}},
                  .metadata = {{"", ""}, {"k", "line\nline \xe2\x82\xac"}}};
  for (int type = 1; type <= static_cast<int>(DType::kBfloat16); ++type) {
    const auto dtype = static_cast<DType>(type);
    if (element_size(dtype) == 0) continue;
    all.tensors.emplace(to_string(dtype), bytes_of(dtype, {2, 3}));
  }
  EXPECT_EQ(all.tensors.size(), 16U);  // every type that Tensor holds
  for (const Safetensors& content : {all, small(), Safetensors{}}) {
    write_safetensors(folder.file("x"), content);
    EXPECT_EQ(read_safetensors(folder.file("x")), content);
  }
}

// The bytes, spelled out: the larger elements first, the header filled up to 8 bytes.
TEST(Safetensors, AreWrittenByteForByteAsTheFormatSays) {
  const TempFolder folder;
  write_safetensors(folder.file("x"), small());
  const std::string header = R"({"__metadata__":{"format":"pt"},)"
                             R"("codes":{"data_offsets":[12,15],"dtype":"U8","shape":[3]},)"
                             R"("scale":{"data_offsets":[0,4],"dtype":"F32","shape":[]},)"
                             R"("w":{"data_offsets":[4,12],"dtype":"F32","shape":[2,1]}})";
  const std::string filling((8 - header.size() % 8) % 8, ' ');
  const std::string data("\0\0\0\x3f\0\0\x80\x3f\0\0\0\xc0\1\2\3", 15);
  EXPECT_EQ(read_text(folder.file("x")), safetensors_bytes(header + filling, data));
}

// As the format's own Python library writes them: keys in its order, spaces at the end.
TEST(Safetensors, AreReadAsPythonWritesThem) {
  const Safetensors read = parse(safetensors_bytes(
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"BOOL","shape":[],"data_offsets":[8,9]}}    )",
      std::string_view("\0\0\x80\x3f\0\0\0\xc0\1", 9)));
  EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(read.tensors.at("w"), Tensor::floats({2, 1}, std::array{1.0F, -2.0F}));
  EXPECT_EQ(read.tensors.at("b"), bytes_of(DType::kBool, {}));
}

TEST(Safetensors, AreRefusedCutAtEveryByteOrWithOneMore) {
  const TempFolder folder;
  write_safetensors(folder.file("x"), small());
  const std::string bytes = read_text(folder.file("x"));
  EXPECT_EQ(parse(bytes), small());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(parse(std::string_view(bytes).substr(0, size)), FormatError) << size;
  }
  EXPECT_THROW(parse(bytes + '\0'), FormatError);
}

// A change of a header's byte may give another header that is right, as a name with another letter;
// never a crash, another error, or more bytes than the file has.
TEST(Safetensors, SurviveEveryChangeOfAByte) {
  const TempFolder folder;
  write_safetensors(folder.file("x"), small());
  const std::string bytes = read_text(folder.file("x"));
  int refused = 0;
  for (std::size_t i = 0; i < bytes.size() - 15; ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(value);
      try {
        std::size_t size = 0;
        for (const auto& [name, tensor] : parse(changed).tensors) size += tensor.bytes().size();
        EXPECT_EQ(size, 15U);
      } catch (const FormatError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 10000);
}

struct Bad {
  std::string header;    // of the file, or what is in its braces
  std::string sentence;  // a part of the error
};

TEST(Safetensors, WithABadHeaderAreRefusedByWhatIsWrong) {
  const std::string f32 = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
  const std::string tensor_x = "[safetensors] x.safetensors: tensor 'x' has ";
  const std::vector<Bad> cases = {
      {"", "does not begin with '{'"},
      {" {\"x\":{" + f32 + "}}", "does not begin with '{'"},
      {"[]", "does not begin with '{'"},
      {"{\"x\":{" + f32 + "}", "is not JSON at its character"},
      {"{\"x\":{" + f32 + "}}{}", "is not JSON"},
      {"{\"x\":{" + f32 + ",}}", "is not JSON"},
      {"{\"\xff\":{" + f32 + "}}", "is not JSON"},
      {R"({"x":1})", tensor_x + "the number 1, expected an object with dtype, shape"},
      {R"({"x":null})", tensor_x + "null"},
      {R"({"x":[]})", tensor_x + "'['"},
      {R"({"x":"y"})", tensor_x + "the text 'y'"},
      {R"({"x":{}})", tensor_x + "its end, expected the key dtype"},
      {R"({"x":{"dtype":"F32","shape":[1]}})", tensor_x + "its end, expected the key data_offsets"},
      {R"({"x":{"dtype":"F32","data_offsets":[0,4]}})", "expected the key shape"},
      {"{\"x\":{" + f32 + ",\"more\":1}}", tensor_x + "the key 'more', expected dtype, shape or"},
      {"{\"x\":{" + f32 + ",\"dtype\":\"F32\"}}", tensor_x + "the key 'dtype' again"},
      {"{\"x\":{" + f32 + "},\"x\":{" + f32 + "}}", "the name 'x' again, expected each name once"},
      {R"({"x":{"dtype":"F8_E4M3"}})", tensor_x + "dtype 'F8_E4M3', expected one of BOOL, U8, I8"},
      {R"({"x":{"dtype":1}})", tensor_x + "the number 1, expected a text"},
      {R"({"x":{"dtype":["F32"]}})", tensor_x + "'[', expected a text"},
      {R"({"x":{"shape":"1"}})", tensor_x + "the text '1', expected a list of numbers"},
      {R"({"x":{"shape":1}})", tensor_x + "the number 1, expected a list of numbers"},
      {R"({"x":{"shape":[-1]}})", tensor_x + "the number -1, expected sizes of at most 63 bits"},
      {R"({"x":{"shape":[1.0]}})", tensor_x + "the number 1.0"},
      {R"({"x":{"shape":[9223372036854775808]}})", tensor_x + "the number 9223372036854775808"},
      {R"({"x":{"shape":[[1]]}})", tensor_x + "'['"},
      {R"({"x":{"shape":[{}]}})", tensor_x + "'{'"},
      {R"({"x":{"shape":[true]}})", tensor_x + "true or false"},
      {R"({"x":{"data_offsets":[0]}})", tensor_x + "1 offsets, expected two"},
      {R"({"x":{"data_offsets":[0,4,8]}})", tensor_x + "the number 8, expected two offsets"},
      {R"({"x":{"data_offsets":{}}})", tensor_x + "'{'"},
      {R"({"__metadata__":[]})", "the metadata has '[', expected an object of texts"},
      {R"({"__metadata__":{"a":1}})", "the metadata has the number 1, expected a text"},
      {R"({"__metadata__":{"a":{}}})", "the metadata has '{', expected a text"},
      {R"({"__metadata__":{"a":"","a":""}})", "the metadata has the key 'a' again"},
      {R"({"__metadata__":{},"__metadata__":{}})", "the name '__metadata__' again"},
  };
  for (const Bad& bad : cases) {
    EXPECT_THAT([&] { parse(safetensors_bytes(bad.header, "abcd")); },
                ThrowsMessage<FormatError>(HasSubstr(bad.sentence)))
        << bad.header;
  }
}

TEST(Safetensors, GiveEveryByteToOneTensor) {
  const auto entry = [](const std::string& name, int begin, int end) {
    return "\"" + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(end - begin) +
           R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  const auto file = [](const std::string& entries) {
    return safetensors_bytes("{" + entries + "}", "abcd");
  };
  EXPECT_NO_THROW(parse(file(entry("b", 2, 4) + "," + entry("a", 0, 2))));
  EXPECT_NO_THROW(parse(file(entry("b", 2, 4) + "," + entry("a", 0, 2) + "," + entry("c", 2, 2))));
  const std::vector<Bad> cases = {
      {entry("a", 0, 3), "has 4 bytes of data, but its tensors end at byte 3"},
      {entry("a", 0, 5), "has 4 bytes of data, but its tensors end at byte 5"},
      {entry("a", 1, 4), "tensor 'a' begins at byte 1 of the data, expected 0"},
      {entry("a", 0, 2) + "," + entry("b", 3, 4), "tensor 'b' begins at byte 3 of the data"},
      {entry("a", 0, 3) + "," + entry("b", 2, 4), "tensor 'b' begins at byte 2 of the data"},
      {R"("a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]})", "bytes from 4 to 0, expected 4"},
      {R"("a":{"dtype":"F32","shape":[4],"data_offsets":[0,4]})", "expected 16 of them"},
      {R"("a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]})",
       "but no file holds that shape"},
      {R"("a":{"dtype":"U8","shape":[4],"data_offsets":[18446744073709551612,0]})", "expected 4"},
  };
  for (const Bad& bad : cases) {
    EXPECT_THAT([&] { parse(file(bad.header)); },
                ThrowsMessage<FormatError>(HasSubstr(bad.sentence)))
        << bad.header;
  }
}

TEST(Safetensors, AreRefusedWhereTheHeadersLengthIsBeyondTheFile) {
  const auto with_length = [](std::uint64_t length) {
    return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + "{}";
  };
  EXPECT_EQ(parse(with_length(2)), Safetensors{});
  for (const std::uint64_t length :
       {std::uint64_t{3}, std::uint64_t{10}, std::numeric_limits<std::uint64_t>::max()}) {
    EXPECT_THAT([&] { parse(with_length(length)); },
                ThrowsMessage<FormatError>(HasSubstr("asks for a header of")));
  }
}

// Nesting costs no stack: the first level too many ends the reading.
TEST(Safetensors, AreRefusedWhereTheHeaderIsNestedDeeply) {
  std::string header = "{\"x\":";
  for (int i = 0; i < 1'000'000; ++i) header += "{\"x\":";
  EXPECT_THROW(parse(safetensors_bytes(header, "")), FormatError);
  EXPECT_THROW(parse(safetensors_bytes("{\"x\":" + std::string(1'000'000, '['), "")), FormatError);
}

TEST(Safetensors, WithMoreThan64DimensionsAreRefused) {
  std::string shape = "1";
  for (int i = 1; i < 64; ++i) shape += ",1";
  const auto file = [](const std::string& sizes) {
    return safetensors_bytes(
        R"({"x":{"dtype":"U8","shape":[)" + sizes + R"(],"data_offsets":[0,1]}})", "a");
  };
  EXPECT_EQ(parse(file(shape)).tensors.at("x").size(), 1);
  EXPECT_THAT([&] { parse(file(shape + ",1")); },
              ThrowsMessage<FormatError>(HasSubstr("more than 64 dimensions")));
}

TEST(Safetensors, AreNotWrittenUnderNamesThatTheFormatLacks) {
  const TempFolder folder;
  const auto write = [&](const Safetensors& content) {
    write_safetensors(folder.file("x"), content);
  };
  EXPECT_THAT(
      [&] {
        write({.tensors = {{"__metadata__", Tensor()}}, .metadata = {}});
      },
      ThrowsMessage<InputError>(HasSubstr("a tensor is called '__metadata__'")));
  EXPECT_THAT(
      [&] {
        write({.tensors = {{"\xff", Tensor()}}, .metadata = {}});
      },
      ThrowsMessage<InputError>(HasSubstr("is not UTF-8")));
  EXPECT_THAT(
      [&] {
        write({.tensors = {}, .metadata = {{"a", "\xc3"}}});
      },
      ThrowsMessage<InputError>(HasSubstr("is not UTF-8")));
  EXPECT_FALSE(std::filesystem::exists(folder.file("x")));
}

}  // namespace
}  // namespace lastbit
