#include "lastbit/cli/train/worker_processes.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/cli/interrupt.h"
#include "lastbit/train/socket.h"

namespace lastbit {
namespace {

using Clock = std::chrono::steady_clock;
using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

constexpr const char* kListener = "LASTBIT_LISTENER";

struct Worker {
  pid_t process = -1;
  File said = {nullptr, std::fclose};  // what it prints, but for worker 0
  std::optional<int> status;
};

bool failed(const Worker& worker) { return worker.status && *worker.status != 0; }

// Between fork and exec: calls of the system alone.
[[noreturn]] void become_worker(
    char** arguments, char** environment, int listener, int output, pid_t parent) {
  // Ctrl-C at the terminal is for the parent, which passes it on once to each.
  ::setpgid(0, 0);
  // Whatever ends the parent, its workers do not stay behind.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  if (output >= 0) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
  } else {
    ::fcntl(listener, F_SETFD, 0);
  }
  ::execve("/proc/self/exe", arguments, environment);
  ::_exit(127);
}

class WorkerProcesses {
 public:
  WorkerProcesses(int count, const std::vector<std::string>& words) {
    // Worker 0 inherits what already listens, so that no other program can take the port.
    const Socket listener = listen_on(0, /*loopback=*/true);
    for (int rank = 0; rank < count; ++rank) start(rank, count, words, listener);
  }
  WorkerProcesses(const WorkerProcesses&) = delete;
  WorkerProcesses& operator=(const WorkerProcesses&) = delete;
  ~WorkerProcesses() {
    for (Worker& worker : workers_) {
      if (worker.status) continue;
      ::kill(worker.process, SIGKILL);
      ::waitpid(worker.process, nullptr, 0);
    }
  }

  // Until all have ended.
  void wait(std::chrono::milliseconds patience) {
    constexpr auto kPause = std::chrono::milliseconds(10);
    constexpr auto kGrace = std::chrono::seconds(1);
    bool told = false;
    std::optional<Deadline> end;
    while (collect() > 0) {
      if (interrupted() && !told) send(SIGINT);
      told = interrupted();
      if (first_failed_ >= 0 && !end) end = Clock::now() + patience;
      // The others have nothing to save.
      if (failed(workers_[0])) end = std::min(*end, worker_0_ended_ + kGrace);
      if (end && Clock::now() > *end) send(SIGKILL);
      std::this_thread::sleep_for(kPause);
    }
  }

  void require_success() const {
    if (first_failed_ < 0) return;
    const int status = *workers_[0].status;
    if (WIFSIGNALED(status)) {
      throw WorkError(cat("[workers] worker 0 was ended by signal ", WTERMSIG(status)));
    }
    const int code = WEXITSTATUS(status);
    const auto first = static_cast<std::size_t>(first_failed_);
    if (code == kLostWorkerCode && first != 0 && WIFEXITED(*workers_[first].status)) {
      const std::string text = last_line_of(workers_[first]);
      if (!text.empty()) std::cerr << "worker " << first << ": " << text << std::endl;
    }
    // It failed after worker 0's work was done, or worker 0 has said what it lost.
    throw WorkersEnded{code == kLostWorkerCode || code == 0 ? 1 : code};
  }

 private:
  void start(int rank, int count, const std::vector<std::string>& words, const Socket& listener) {
    Worker worker;
    if (rank > 0) {
      worker.said.reset(std::tmpfile());
      if (!worker.said) {
        throw WorkError(cat("[workers] cannot make a temporary file: ",
                            std::generic_category().message(errno)));
      }
    }
    std::vector<std::string> settings = {cat("RANK=", rank),
                                         cat("LOCAL_RANK=", rank),
                                         cat("WORLD_SIZE=", count),
                                         cat("LOCAL_WORLD_SIZE=", count),
                                         "MASTER_ADDR=127.0.0.1",
                                         cat("MASTER_PORT=", listener.port()),
                                         "TORCHELASTIC_USE_AGENT_STORE=False"};
    if (rank == 0) settings.push_back(cat(kListener, "=", listener.descriptor()));
    const auto overridden = [&](std::string_view entry) {
      const std::string_view name = entry.substr(0, entry.find('=') + 1);
      for (const std::string& setting : settings) {
        if (setting.starts_with(name)) return true;
      }
      return false;
    };
    std::vector<char*> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (!overridden(*entry)) environment.push_back(*entry);
    }
    for (std::string& setting : settings) environment.push_back(setting.data());
    environment.push_back(nullptr);
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    std::vector<char*> arguments = {const_cast<char*>(program.c_str())};
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);

    const pid_t parent = ::getpid();
    worker.process = ::fork();
    if (worker.process == 0) {
      become_worker(arguments.data(),
                    environment.data(),
                    listener.descriptor(),
                    worker.said ? ::fileno(worker.said.get()) : -1,
                    parent);
    }
    if (worker.process < 0) {
      throw WorkError(
          cat("[workers] cannot start a process: ", std::generic_category().message(errno)));
    }
    workers_.push_back(std::move(worker));
  }

  // How many still run.
  int collect() {
    int running = 0;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      Worker& worker = workers_[i];
      if (worker.status) continue;
      int status = 0;
      if (::waitpid(worker.process, &status, WNOHANG) == 0) {
        ++running;
        continue;
      }
      worker.status = status;
      if (i == 0) worker_0_ended_ = Clock::now();
      if (failed(worker) && first_failed_ < 0) first_failed_ = static_cast<int>(i);
    }
    return running;
  }

  void send(int signal) const {
    for (const Worker& worker : workers_) {
      if (!worker.status) ::kill(worker.process, signal);
    }
  }

  static std::string last_line_of(const Worker& worker) {
    std::rewind(worker.said.get());
    std::string line;
    std::string last;
    for (int letter = 0; (letter = std::fgetc(worker.said.get())) != EOF;) {
      if (letter != '\n') {
        line += static_cast<char>(letter);
        continue;
      }
      if (!line.empty()) last = line;
      line.clear();
    }
    return line.empty() ? last : line;
  }

  std::vector<Worker> workers_;
  int first_failed_ = -1;
  Deadline worker_0_ended_;
};

}  // namespace

void run_workers(int count,
                 const std::vector<std::string>& words,
                 std::chrono::milliseconds patience) {
  catch_interrupts();
  WorkerProcesses workers(count, words);
  workers.wait(patience);
  workers.require_success();
}

bool leads_workers_of_this_machine() { return std::getenv(kListener) != nullptr; }

}  // namespace lastbit
