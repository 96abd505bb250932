#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace lastbit {

/// Copies of this program at work on other commands. Ends with those that still run: an interrupt
/// stops them too.
class ChildProcesses {
 public:
  ChildProcesses() = default;
  ChildProcesses(const ChildProcesses&) = delete;
  ChildProcesses& operator=(const ChildProcesses&) = delete;
  ~ChildProcesses();

  /// @param words  the command and its arguments. @param output  a file for what it prints.
  /// @return a number for the child. @throws WorkError if it cannot be started.
  int start(const std::vector<std::string>& words, const std::filesystem::path& output);

  /// Waits for any child: its number and exit code.
  /// @throws WorkError on Ctrl-C.
  std::pair<int, int> wait();

 private:
  std::vector<int> running_;
};

}  // namespace lastbit
