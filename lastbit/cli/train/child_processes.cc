#include "lastbit/cli/train/child_processes.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/interrupt.h"

namespace lastbit {

ChildProcesses::~ChildProcesses() {
  for (const int child : running_) ::kill(child, SIGTERM);
  for (const int child : running_) ::waitpid(child, nullptr, 0);
}

int ChildProcesses::start(const std::vector<std::string>& words,
                          const std::filesystem::path& output) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<char*> arguments = {const_cast<char*>(program.c_str())};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::filesystem::create_directories(output.parent_path());

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(
      &actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int error =
      ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    throw WorkError(
        cat("[run] cannot start ", program, ": ", std::generic_category().message(error)));
  }
  running_.push_back(child);
  return child;
}

std::pair<int, int> ChildProcesses::wait() {
  // Looks now and then: a call that waits is not ended by the signals that ask to stop.
  constexpr auto kPause = std::chrono::milliseconds(50);
  int status = 0;
  pid_t child = 0;
  while ((child = ::waitpid(-1, &status, WNOHANG)) == 0) {
    if (interrupted()) throw WorkError("[run] stopped on request; called again, it goes on");
    std::this_thread::sleep_for(kPause);
  }
  if (interrupted()) throw WorkError("[run] stopped on request; called again, it goes on");
  if (child < 0) {
    throw WorkError(cat("[run] lost a process: ", std::generic_category().message(errno)));
  }
  std::erase(running_, child);
  return {child, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
}

}  // namespace lastbit
