#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include <gtest/gtest.h>

#include "tests/data/files.h"

namespace lastbit {

using Words = std::vector<std::string>;

/// How a program is started.
struct Start {
  /// The program; empty takes the `lastbit` that was built.
  std::filesystem::path program = {};
  std::filesystem::path folder = {};  ///< Where it runs.
  /// Added to the environment, from which LASTBIT_DATA is taken out first.
  std::map<std::string, std::string> environment = {};
  std::optional<std::uint64_t> file_limit = {};  ///< Largest file it may write, bytes.
  bool close_output = false;                     ///< Without standard output.
  bool close_errors = false;                     ///< Without standard error.
  std::filesystem::path output = {};             ///< A file in place of the pipe.
  bool terminal = false;                         ///< Standard error is a terminal, 120 wide.
};

/// How a program ended.
struct Finished {
  int code = -1;   ///< Exit code; -1 if a signal ended it.
  int signal = 0;  ///< The signal that ended it, or 0.
  std::string out;
  std::string err;
};

/// A running program. One that takes more than a minute is killed, and the test fails.
class Program {
 public:
  Program(const Words& arguments, const Start& start);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  /// Reads until standard error holds `text`. False if the program ends before.
  bool wait_for(const std::string& text);
  void send(int signal) const;
  /// True while the program has a handler of its own for `signal`.
  bool catches(int signal) const;
  Finished finish();

 private:
  // Reads what is there, waiting for it; false at the end of both streams.
  bool read_more();

  pid_t child_ = -1;
  int out_ = -1;
  int err_ = -1;
  Finished result_;
};

/// A folder of its own for each case, and `lastbit` run in it.
class CommandTest : public ::testing::Test {
 protected:
  Finished lastbit(const Words& arguments, Start start = {}) const;
  /// The same, which must end well.
  Finished succeed(const Words& arguments, Start start = {}) const;

  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  std::string read(const std::string& name) const { return folder_.read(name); }
  void write(const std::string& name, std::string_view bytes) const { folder_.write(name, bytes); }
  /// Relative names of all files and folders in the folder, in order.
  Words names() const;

  TempFolder folder_;
};

/// Expects exit code `code`, nothing on standard output, and one line on standard error that begins
/// as LastBit's do and holds each of `words`.
void expect_sentence(const Finished& run, int code, const Words& words);
/// Expects what bad input must give: exit code 2 and one sentence.
void expect_refusal(const Finished& run, const Words& words);

}  // namespace lastbit
