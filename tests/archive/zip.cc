#include "lastbit/archive/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/archive/archives.h"
#include "tests/data/files.h"

namespace lastbit {
namespace {

using ::testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string error_with(const std::string& file) {
  return error_of([&] {
    const Zip archive(bytes_of(file), "[zip] a.zip");
    for (const Zip::Entry& entry : archive.entries()) archive.read(entry);
  });
}

TEST(Zip, ReadsWhatZip64FieldsSay) {
  const std::string file = zip64({{"a/one", "first"}, {"a/two", std::string(100, 'x')}});
  const Zip archive(bytes_of(file), "[zip] a.zip");
  ASSERT_EQ(archive.entries().size(), 2U);
  EXPECT_EQ(text_of(archive.read(archive.entries()[0])), "first");
  EXPECT_EQ(text_of(archive.read(*archive.find("a/two"))), std::string(100, 'x'));
  EXPECT_EQ(archive.find("a/three"), nullptr);
}

TEST(Zip, RefusesZip64FieldsWithoutTheirRecords) {
  const std::string file = zip64({{"a", "first"}});
  std::string no_locator = file;
  no_locator[file.find("PK\x06\x07")] = 'Q';
  EXPECT_THAT(error_with(no_locator), HasSubstr("zip64 archive without its end-of-archive record"));
  std::string no_field = file;
  no_field[file.find(little(1, 2) + little(24, 2))] = 9;
  EXPECT_THAT(error_with(no_field), HasSubstr("entry 0 lacks its zip64 sizes"));
}

TEST(Zip, RefusesEveryTruncationAndSurvivesEveryFlippedBit) {
  for (const std::string& file : {zip64({{"a", "first"}, {"b", ""}}),
                                  zip({{"a", std::string(40, 'z'), true}, {"b", "x", false}})}) {
    for (std::size_t size = 0; size < file.size(); ++size) {
      EXPECT_THAT(error_with(file.substr(0, size)), HasSubstr("[zip] a.zip")) << size;
    }
    for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
      std::string changed = file;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
      const std::string error = error_with(changed);
      // Not all bytes are looked at: dates, versions, and the fields that the list repeats.
      EXPECT_TRUE(error == "no exception" || error.starts_with("[zip] a.zip")) << bit << error;
    }
  }
}

}  // namespace
}  // namespace lastbit
