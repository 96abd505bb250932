#include "lastbit/data/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/random.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

NpyArray parse(const std::string& file) {
  return parse_npy(std::as_bytes(std::span(file)), "x.npy");
}

std::string error_in(const std::string& file) {
  return error_of([&] { parse(file); });
}

std::string error_in_header(const std::string& header) { return error_in(npy_text(header, "")); }

TEST(Npy, ReadsTheThreeVersions) {
  for (const int version : {1, 2, 3}) {
    const std::string file = npy("<f4", "(2, 1)", raw<float>({1.5F, -2.0F}), version);
    const NpyArray array = parse(file);
    EXPECT_EQ(array.dtype, "<f4");
    EXPECT_THAT(array.shape, ElementsAre(2, 1));
    EXPECT_THAT(npy_floats(array, "x"), ElementsAre(1.5F, -2.0F)) << version;
  }
}

TEST(Npy, ReadsWhatNumpyWrites) {
  // The bytes of numpy.save(f, numpy.array([3, 1], dtype='<i2')) by NumPy's format description.
  std::string header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }";
  header += std::string(118 - header.size() - 1, ' ') + "\n";
  const std::string file = npy_text(header, raw<std::int16_t>({3, 1}));
  ASSERT_EQ(file.size(), 128U + 4U);
  EXPECT_THAT(npy_integers(parse(file), "x"), ElementsAre(3, 1));
}

TEST(Npy, ReadsAllIntegersAndTruthValues) {
  const auto read = [](const std::string& dtype, const std::string& data) {
    const std::string file = npy(dtype, "(2,)", data);
    return npy_integers(parse(file), "x");
  };
  EXPECT_THAT(read("|b1", raw<std::uint8_t>({1, 0})), ElementsAre(1, 0));
  EXPECT_THAT(read("|u1", raw<std::uint8_t>({255, 0})), ElementsAre(255, 0));
  EXPECT_THAT(read("|i1", raw<std::int8_t>({-128, 127})), ElementsAre(-128, 127));
  EXPECT_THAT(read("<u2", raw<std::uint16_t>({65535, 2})), ElementsAre(65535, 2));
  EXPECT_THAT(read("<i2", raw<std::int16_t>({-2, 2})), ElementsAre(-2, 2));
  EXPECT_THAT(read("<u4", raw<std::uint32_t>({70000, 2})), ElementsAre(70000, 2));
  EXPECT_THAT(read("<i4", raw<std::int32_t>({-70000, 2})), ElementsAre(-70000, 2));
  EXPECT_THAT(read("<u8", raw<std::uint64_t>({7, 2})), ElementsAre(7, 2));
  EXPECT_THAT(read("<i8", raw<std::int64_t>({-7, 2})), ElementsAre(-7, 2));
}

TEST(Npy, RoundsDoublesToTheNearestFloat) {
  const std::string file = npy("<f8", "(2,)", raw<double>({0.1, 1e300}));
  EXPECT_THAT(npy_floats(parse(file), "x"),
              ElementsAre(0.1F, std::numeric_limits<float>::infinity()));
}

TEST(Npy, RefusesIntegersBeyond32Bits) {
  const std::string file = npy("<i8", "(2,)", raw<std::int64_t>({1, std::int64_t{1} << 40U}));
  EXPECT_THAT(error_of([&] { npy_integers(parse(file), "y"); }),
              AllOf(HasSubstr("y element 1 is 1099511627776"), HasSubstr("31 bits")));
}

TEST(Npy, RefusesTheOtherKindOfNumber) {
  const std::string floats = npy("<f4", "(1,)", raw<float>({1}));
  const std::string integers = npy("<i4", "(1,)", raw<std::int32_t>({1}));
  EXPECT_THAT(error_of([&] { npy_integers(parse(floats), "y"); }), HasSubstr("y has dtype <f4"));
  EXPECT_THAT(error_of([&] { npy_floats(parse(integers), "x"); }), HasSubstr("x has dtype <i4"));
}

TEST(Npy, SaysHowToConvertBigEndianAndFortranOrder) {
  EXPECT_THAT(error_in(npy(">f4", "(1,)", "abcd")),
              AllOf(HasSubstr("x.npy is big-endian (>f4)"), HasSubstr(".astype('<f4')")));
  EXPECT_THAT(error_in_header("{'descr': '<f4', 'fortran_order': True, 'shape': (0,)}"),
              AllOf(HasSubstr("Fortran order"), HasSubstr("numpy.ascontiguousarray")));
}

TEST(Npy, RefusesOtherElementTypes) {
  for (const std::string dtype : {"<f2", "|O", "<c8", "<U5", "u1", "", "<f4x", "=f4"}) {
    EXPECT_THAT(error_in(npy(dtype, "(0,)", "")), HasSubstr("has dtype '" + dtype + "'"));
  }
}

TEST(Npy, RefusesAnotherMagicOrVersion) {
  std::string file = npy("|u1", "(1,)", "a");
  file[6] = 4;
  EXPECT_THAT(error_in(file), HasSubstr("version 4.0, expected 1.0, 2.0 or 3.0"));
  file[1] = 'n';
  EXPECT_THAT(error_in(file), HasSubstr("does not begin as an npy file does"));
  EXPECT_THAT(error_in(""), HasSubstr("does not begin as an npy file does"));
}

TEST(Npy, RefusesDataOfAnotherSize) {
  EXPECT_THAT(error_in(npy("<f4", "(2, 3)", std::string(23, 'x'))),
              HasSubstr("has 23 bytes of data, but <f4 of shape (2, 3) takes 24"));
  EXPECT_THAT(error_in(npy("<f4", "(2, 3)", std::string(25, 'x'))), HasSubstr("has 25 bytes"));
}

TEST(Npy, RefusesShapesThatOverflow) {
  EXPECT_THAT(error_in(npy("<f8", "(4294967296, 4294967296)", "")),
              HasSubstr("more than a file can hold"));
  EXPECT_THAT(error_in(npy("<f8", "(9223372036854775808,)", "")), HasSubstr("2^63 - 1"));
}

TEST(Npy, RefusesAHeaderThatReachesBeyondTheFile) {
  const std::string file = npy("|u1", "(1,)", "a");
  EXPECT_THAT(error_in(file.substr(0, 30)), HasSubstr("cut off in its header: it has 30 bytes"));
}

TEST(NpyHeader, TakesKeysInAnyOrderAndBothQuotes) {
  const std::string file =
      npy_text("{\"shape\":(2,),'fortran_order':False , \"descr\" : '|u1'}", "ab");
  EXPECT_THAT(parse(file).shape, ElementsAre(2));
}

TEST(NpyHeader, TakesTheEmptyShapeOfANumber) {
  const std::string file = npy("|u1", "()", "a");
  EXPECT_THAT(parse(file).shape, IsEmpty());
}

TEST(NpyHeader, RefusesUnknownRepeatedAndMissingKeys) {
  EXPECT_THAT(error_in_header("{'descr': '|u1', 'order': False}"),
              HasSubstr("an unknown key 'order' at character 17"));
  EXPECT_THAT(error_in_header("{'descr': '|u1', 'descr': '|u1'}"),
              HasSubstr("the key 'descr' again"));
  EXPECT_THAT(error_in_header("{'descr': '|u1', 'shape': (1,)}"),
              HasSubstr("the header lacks 'fortran_order'"));
  EXPECT_THAT(error_in_header("{}"), HasSubstr("the header lacks 'descr'"));
}

TEST(NpyHeader, NamesThePlaceOfWhatItCannotRead) {
  EXPECT_THAT(error_in_header("['descr']"), HasSubstr("'[' at character 0, expected '{'"));
  EXPECT_THAT(error_in_header("{'descr': [('a', '<f4')]}"), HasSubstr("expected a quoted word"));
  EXPECT_THAT(error_in_header("{'shape': (3)}"), HasSubstr("')' at character 12, expected ','"));
  EXPECT_THAT(error_in_header("{'shape': (-3,)}"), HasSubstr("'-' at character 11"));
  EXPECT_THAT(error_in_header("{'shape': (1,"), HasSubstr("its end at character 13"));
  EXPECT_THAT(error_in_header("{'fortran_order': 0}"), HasSubstr("expected True or False"));
  EXPECT_THAT(error_in_header("{'descr': 'a"), HasSubstr("expected a closing quote"));
  EXPECT_THAT(error_in_header("{'descr': '|u1', 'fortran_order': False, 'shape': ()} x"),
              HasSubstr("expected the end of the header"));
}

TEST(WriteNpy, ReadsBackAsWritten) {
  const TempFolder folder;
  Random random(1);
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{}, {5}, {2, 3}, {1, 2, 3, 4}, {0, 3}}) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(random.normal());
    write_npy(folder.path() / "x.npy", shape, values);
    const std::string file = folder.read("x.npy");
    EXPECT_EQ((file.size() - values.size() * 4) % 64, 0U);
    EXPECT_EQ(parse(file).shape, shape);
    EXPECT_EQ(npy_floats(parse(file), "x"), values);
  }
}

TEST(WriteNpy, RefusesAShapeThatTheValuesDoNotFill) {
  const TempFolder folder;
  const std::vector<float> values(5);
  EXPECT_THAT(error_of<InputError>([&] {
                write_npy(folder.path() / "x.npy", std::vector<std::int64_t>{2, 3}, values);
              }),
              HasSubstr("5 values do not fill the shape (2, 3)"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace lastbit
