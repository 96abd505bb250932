#include "tests/cli/program.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

namespace lastbit {
namespace {

constexpr int kSilence_ms = 60'000;

struct Pipe {
  std::array<int, 2> ends = {-1, -1};
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  }
};

Pipe open_terminal() {
  Pipe result;
  for (const int end : result.ends) ::close(end);
  const winsize size{.ws_row = 24, .ws_col = 120, .ws_xpixel = 0, .ws_ypixel = 0};
  if (::openpty(&result.ends[0], &result.ends[1], nullptr, nullptr, &size) != 0) std::abort();
  for (const int end : result.ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  return result;
}

// In the child: what has to be set before the program begins.
void prepare(const Start& start, int out, int err) {
  if (!start.folder.empty() && ::chdir(start.folder.c_str()) != 0) ::_exit(127);
  ::unsetenv("LASTBIT_DATA");
  for (const auto& [name, value] : start.environment) ::setenv(name.c_str(), value.c_str(), 1);
  if (start.file_limit) {
    const rlimit limit{*start.file_limit, *start.file_limit};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(127);
  }
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  if (!start.output.empty()) out = ::open(start.output.c_str(), O_WRONLY | O_CLOEXEC);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  if (start.close_output) ::close(STDOUT_FILENO);
  if (start.close_errors) ::close(STDERR_FILENO);
}

// Appends what can be read from `descriptor`, and closes it at its end.
void read_some(int& descriptor, std::string& text) {
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
  // A terminal ends with an error (EIO) where a pipe ends with 0 bytes.
  if (count <= 0) {
    ::close(std::exchange(descriptor, -1));
    return;
  }
  text.append(buffer.data(), static_cast<std::size_t>(count));
}

}  // namespace

Program::Program(const Words& arguments, const Start& start) {
  const Pipe out;
  const Pipe err = start.terminal ? open_terminal() : Pipe();
  std::string program = start.program.empty() ? LASTBIT_PROGRAM : start.program.string();
  Words words = arguments;
  std::vector<char*> argv = {program.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  child_ = ::fork();
  if (child_ < 0) std::abort();
  if (child_ == 0) {
    prepare(start, out.ends[1], err.ends[1]);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  ::close(out.ends[1]);
  ::close(err.ends[1]);
  out_ = out.ends[0];
  err_ = err.ends[0];
}

Program::~Program() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  for (const int descriptor : {out_, err_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

bool Program::read_more() {
  std::array<pollfd, 2> ready = {{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
  if (out_ < 0 && err_ < 0) return false;
  if (::poll(ready.data(), ready.size(), kSilence_ms) <= 0) {
    ADD_FAILURE() << "the program is silent for a minute; so far it wrote " << result_.err;
    send(SIGKILL);
    return false;
  }
  if (ready[0].revents != 0) read_some(out_, result_.out);
  if (ready[1].revents != 0) read_some(err_, result_.err);
  return true;
}

bool Program::wait_for(const std::string& text) {
  while (result_.err.find(text) == std::string::npos) {
    if (!read_more()) return false;
  }
  return true;
}

void Program::send(int signal) const { ::kill(child_, signal); }

bool Program::catches(int signal) const {
  std::ifstream status("/proc/" + std::to_string(child_) + "/status");
  const std::string tag = "SigCgt:";
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(tag)) continue;
    return (std::stoull(line.substr(tag.size()), nullptr, 16) >> (signal - 1) & 1) != 0;
  }
  return false;
}

Finished Program::finish() {
  while (read_more()) {
  }
  int status = 0;
  ::waitpid(std::exchange(child_, -1), &status, 0);
  if (WIFEXITED(status)) result_.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
  return result_;
}

Finished CommandTest::lastbit(const Words& arguments, Start start) const {
  if (start.folder.empty()) start.folder = folder_.path();
  return Program(arguments, start).finish();
}

Finished CommandTest::succeed(const Words& arguments, Start start) const {
  Finished run = lastbit(arguments, std::move(start));
  EXPECT_EQ(run.code, 0) << "signal " << run.signal << ", standard error: " << run.err;
  return run;
}

Words CommandTest::names() const {
  Words result;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    result.push_back(std::filesystem::relative(entry.path(), folder_.path()).string());
  }
  std::sort(result.begin(), result.end());
  return result;
}

void expect_sentence(const Finished& run, int code, const Words& words) {
  EXPECT_EQ(run.code, code) << "signal " << run.signal << ", standard error: " << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, ::testing::StartsWith("lastbit: "));
  EXPECT_EQ(run.err.find('\n') + 1, run.err.size()) << run.err;
  for (const std::string& word : words) EXPECT_THAT(run.err, ::testing::HasSubstr(word));
}

void expect_refusal(const Finished& run, const Words& words) { expect_sentence(run, 2, words); }

}  // namespace lastbit
