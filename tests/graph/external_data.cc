#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "tests/graph/written_models.h"

namespace lastbit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class ExternalData : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ / "weights.bin", std::string("????\0\0\x80\x3f\0\0\0\x40", 12));
  }
  void TearDown() override { std::filesystem::remove_all(folder_.parent_path()); }

  static std::string file(const std::vector<std::pair<std::string, std::string>>& entries) {
    return with_initializer(1, {2}, [&](pbf_writer& w) {
      for (const auto& entry : entries) {
        w.add_message(13, message([&](pbf_writer& e) {
                        e.add_string(1, entry.first);
                        e.add_string(2, entry.second);
                      }));
      }
      w.add_int32(14, 1);
    });
  }
  void expect(const std::vector<std::pair<std::string, std::string>>& entries,
              const std::string& words) {
    EXPECT_THAT([&] { return parse(file(entries), folder_); },
                ThrowsMessage<InputError>(HasSubstr(words)));
  }

  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      (std::string("lastbit_external_") +
       ::testing::UnitTest::GetInstance()->current_test_info()->name()) /
      "model";
};

TEST_F(ExternalData, IsReadFromItsPlace) {
  const Graph graph =
      parse(file({{"location", "weights.bin"}, {"offset", "4"}, {"length", "8"}}), folder_);
  EXPECT_THAT(initializer(graph).as_floats(), ElementsAre(1.0F, 2.0F));
  const Graph open = parse(file({{"location", "weights.bin"}, {"offset", "4"}}), folder_);
  EXPECT_EQ(initializer(open), initializer(graph));
}

TEST_F(ExternalData, MustLieInTheFolder) {
  write_file(folder_.parent_path() / "secret.bin", "12345678");
  const std::string words = "expected a file inside the model's folder";
  expect({{"location", "../secret.bin"}}, words);
  expect({{"location", "a/../../secret.bin"}}, words);
  expect({{"location", (folder_ / "weights.bin").string()}}, words);
  expect({}, words);
  std::filesystem::create_symlink("../secret.bin", folder_ / "link.bin");
  expect({{"location", "link.bin"}}, words);
}

TEST_F(ExternalData, MustBeThereAndLongEnough) {
  expect({{"location", "none.bin"}}, "none.bin");
  expect({{"location", "weights.bin"}, {"offset", "8"}, {"length", "8"}},
         "8 bytes from byte 8 of 'weights.bin', which has 12");
  expect({{"location", "weights.bin"}, {"offset", "18446744073709551615"}}, "which has 12");
  expect({{"location", "weights.bin"}, {"offset", "-4"}}, "offset of its external data is '-4'");
  expect({{"location", "weights.bin"}, {"length", "4"}}, "takes 8 bytes, got 4");
}

TEST_F(ExternalData, IsRefusedInMemory) {
  expect_refusal(file({{"location", "weights.bin"}}), "which a model read from memory cannot have");
}

}  // namespace
}  // namespace lastbit
