#include "lastbit/base/file.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lastbit/base/error.h"

namespace lastbit {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

// Each test has an empty folder of its own.
class File : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "lastbit.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override {
    ::chmod(folder.c_str(), 0700);
    fs::remove_all(folder);
  }

  std::ptrdiff_t files() const { return std::distance(fs::directory_iterator(folder), {}); }

  fs::path folder;
};

std::string content(const fs::path& path) {
  const MappedFile file(path);
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

std::string failure(const std::function<void()>& work) {
  try {
    work();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(File, HoldsWhatWasWritten) {
  const std::string text("a\0b\n\xff", 5);
  write_file(folder / "one", text);
  EXPECT_EQ(content(folder / "one"), text);
  write_file(folder / "empty", "");
  EXPECT_EQ(content(folder / "empty"), "");
}

TEST_F(File, HoldsItsPiecesOneAfterAnother) {
  const std::string large(3'000'000, 'x');
  write_file(folder / "one", std::array<std::string_view, 4>{"ab", "", large, "c"});
  EXPECT_EQ(content(folder / "one"), "ab" + large + "c");
}

TEST_F(File, ReplacesTheOldOneAndLeavesNothingElse) {
  write_file(folder / "one", "a long old text");
  write_file(folder / "one", "new");
  EXPECT_EQ(content(folder / "one"), "new");
  EXPECT_EQ(files(), 1);
}

TEST_F(File, StaysWholeForAReaderWhileItIsReplaced) {
  write_file(folder / "one", "old");
  const MappedFile old(folder / "one");
  write_file(folder / "one", "a new text");
  EXPECT_EQ(static_cast<char>(old.bytes()[0]), 'o');
  EXPECT_EQ(old.bytes().size(), 3U);
}

TEST_F(File, MakesMissingFolders) {
  write_file(folder / "a" / "b" / "one", "text");
  EXPECT_EQ(content(folder / "a" / "b" / "one"), "text");
}

TEST_F(File, IsAsReadableAsTheMaskAllows) {
  const mode_t mask = ::umask(0027);
  write_file(folder / "one", "text");
  ::umask(mask);
  struct stat status {};
  ASSERT_EQ(::stat((folder / "one").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0640U);
}

TEST_F(File, IsNotWrittenOverAFolder) {
  fs::create_directory(folder / "one");
  const auto write = [&] { write_file(folder / "one", "text"); };
  EXPECT_THAT(failure(write),
              AllOf(HasSubstr((folder / "one").string()), HasSubstr("Is a directory")));
  EXPECT_THAT(failure([&] { require_writable(folder / "one"); }), HasSubstr("Is a directory"));
  EXPECT_EQ(files(), 1);
}

TEST_F(File, IsNotWrittenBelowAFile) {
  write_file(folder / "one", "text");
  const auto write = [&] { write_file(folder / "one" / "two", "text"); };
  EXPECT_THAT(failure(write), HasSubstr((folder / "one" / "two").string()));
  EXPECT_EQ(content(folder / "one"), "text");
}

TEST_F(File, IsNotWrittenIntoAFolderWithoutPermission) {
  if (::geteuid() == 0) GTEST_SKIP() << "permissions do not bind the superuser";
  ASSERT_EQ(::chmod(folder.c_str(), 0500), 0);
  const auto write = [&] { write_file(folder / "one", "text"); };
  EXPECT_THAT(failure(write),
              AllOf(HasSubstr((folder / "one").string()), HasSubstr("Permission denied")));
  EXPECT_THAT(failure([&] { require_writable(folder / "one"); }), HasSubstr("Permission denied"));
}

TEST_F(File, IsNotWrittenIntoAFileSystemThatTakesNone) {
  // Not even the superuser makes files in /proc.
  const auto write = [] { write_file("/proc/lastbit", "text"); };
  EXPECT_THAT(failure(write), HasSubstr("[file] cannot write /proc/lastbit: "));
  EXPECT_THAT(failure([] { require_writable("/proc/lastbit"); }), HasSubstr("/proc/lastbit"));
}

TEST_F(File, KeepsTheOldOneWhereThereIsNoRoomForTheNew) {
  write_file(folder / "one", "old");
  // A limit to the size of files makes `write` fail half way, as a full disk does.
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = 100'000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::string message =
      failure([&] { write_file(folder / "one", std::string(200'000, 'x')); });
  limit.rlim_cur = before;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, AllOf(HasSubstr((folder / "one").string()), HasSubstr("File too large")));
  EXPECT_EQ(content(folder / "one"), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(File, IsLeftAsItIsByTheTestForWriting) {
  write_file(folder / "one", "old");
  require_writable(folder / "one");
  EXPECT_EQ(content(folder / "one"), "old");
  require_writable(folder / "two");
  EXPECT_FALSE(fs::exists(folder / "two"));
  EXPECT_EQ(files(), 1);
}

TEST_F(File, IsNotMappedWhereThereIsNone) {
  EXPECT_EQ(failure([&] { MappedFile(folder / "none"); }),
            "[file] cannot read " + (folder / "none").string() + ": No such file or directory");
}

TEST_F(File, IsNotMappedIfItIsNotRegular) {
  EXPECT_EQ(failure([&] { MappedFile{folder}; }),
            "[file] cannot read " + folder.string() + ": Is a directory");
  EXPECT_EQ(failure([] { MappedFile("/dev/null"); }),
            "[file] cannot read /dev/null: not a regular file");
}

TEST_F(File, IsNotMappedWithoutPermission) {
  if (::geteuid() == 0) GTEST_SKIP() << "permissions do not bind the superuser";
  write_file(folder / "one", "text");
  ASSERT_EQ(::chmod((folder / "one").c_str(), 0), 0);
  EXPECT_THAT(failure([&] { MappedFile(folder / "one"); }), HasSubstr("Permission denied"));
}

TEST_F(File, MovesItsMapping) {
  write_file(folder / "one", "text");
  write_file(folder / "two", "other");
  MappedFile one(folder / "one");
  const auto* data = one.bytes().data();
  MappedFile moved(std::move(one));
  EXPECT_EQ(moved.bytes().data(), data);
  MappedFile two(folder / "two");
  two = std::move(moved);
  EXPECT_EQ(two.bytes().data(), data);
  EXPECT_EQ(two.bytes().size(), 4U);
}

}  // namespace
}  // namespace lastbit
