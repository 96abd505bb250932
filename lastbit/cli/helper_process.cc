#include "lastbit/cli/helper_process.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

using Clock = std::chrono::steady_clock;

enum class End : std::uint8_t { kDone, kClosed, kLate };

// The sizes of a message's two parts come before them.
using Sizes = std::array<std::uint64_t, 2>;

End send_bytes(int socket, const void* data, std::size_t count) {
  const char* next = static_cast<const char*>(data);
  while (count > 0) {
    const ssize_t sent = ::send(socket, next, count, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return End::kClosed;
    next += sent;
    count -= static_cast<std::size_t>(sent);
  }
  return End::kDone;
}

End send_message(int socket, const Message& message) {
  const std::string head =
      message.head.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const Sizes sizes = {head.size(), message.bytes.size()};
  for (const auto& [data, count] :
       {std::pair<const void*, std::size_t>(sizes.data(), sizeof(sizes)),
        {head.data(), head.size()},
        {message.bytes.data(), message.bytes.size()}}) {
    if (send_bytes(socket, data, count) != End::kDone) return End::kClosed;
  }
  return End::kDone;
}

End receive_bytes(int socket, void* data, std::size_t count, Clock::time_point until) {
  char* next = static_cast<char*>(data);
  while (count > 0) {
    int wait_ms = -1;
    if (until != Clock::time_point::max()) {
      const std::chrono::duration<double, std::milli> left = until - Clock::now();
      if (left.count() <= 0.0) return End::kLate;
      wait_ms = static_cast<int>(std::min(left.count() + 1.0, 1e9));
    }
    pollfd ready{socket, POLLIN, 0};
    const int events = ::poll(&ready, 1, wait_ms);
    if (events == 0 || (events < 0 && errno == EINTR)) continue;
    const ssize_t got = ::recv(socket, next, count, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return End::kClosed;
    next += got;
    count -= static_cast<std::size_t>(got);
  }
  return End::kDone;
}

End receive_message(int socket, Message& message, Clock::time_point until) {
  Sizes sizes{};
  End end = receive_bytes(socket, sizes.data(), sizeof(sizes), until);
  if (end != End::kDone) return end;
  std::string head(sizes[0], '\0');
  message.bytes.assign(sizes[1], '\0');
  end = receive_bytes(socket, head.data(), head.size(), until);
  if (end == End::kDone) {
    end = receive_bytes(socket, message.bytes.data(), message.bytes.size(), until);
  }
  if (end == End::kDone) message.head = nlohmann::json::parse(head);
  return end;
}

void serve(int socket, const HelperProcess::Answer& answer) {
  Message message;
  while (receive_message(socket, message, Clock::time_point::max()) == End::kDone) {
    Message reply;
    try {
      reply = answer(message);
    } catch (const std::exception& error) {
      reply = {.head = {{"error", error.what()}}};
    }
    if (send_message(socket, reply) != End::kDone) return;
  }
}

}  // namespace

HelperProcess::HelperProcess(std::string name, const Answer& answer) : name_(std::move(name)) {
  std::array<int, 2> ends{};
  const pid_t parent = ::getpid();
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw WorkError(cat("[", name_, "] cannot start a process: ", std::strerror(errno)));
  }
  child_ = ::fork();
  if (child_ == 0) {
    // Not even a kill of the parent leaves it behind.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(EXIT_FAILURE);
    ::close(ends[0]);
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    serve(ends[1], answer);
    ::_exit(EXIT_SUCCESS);
  }
  ::close(ends[1]);
  socket_ = ends[0];
  if (child_ < 0) {
    ::close(socket_);
    throw WorkError(cat("[", name_, "] cannot start a process: ", std::strerror(errno)));
  }
}

HelperProcess::~HelperProcess() {
  ::close(socket_);
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
}

void HelperProcess::fail_ended() {
  int status = 0;
  ::waitpid(std::exchange(child_, -1), &status, 0);
  throw WorkError(
      WIFSIGNALED(status)
          ? cat("[",
                name_,
                "] ended by signal ",
                WTERMSIG(status),
                " (",
                ::strsignal(WTERMSIG(status)),
                ") before it answered")
          : cat("[", name_, "] ended with code ", WEXITSTATUS(status), " before it answered"));
}

Message HelperProcess::ask(const Message& message, double patience) {
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(patience));
  Message reply;
  End end = send_message(socket_, message);
  if (end == End::kDone) end = receive_message(socket_, reply, until);
  if (end == End::kClosed) fail_ended();
  if (end == End::kLate) {
    throw WorkError(cat("[", name_, "] no answer within ", patience, " s"));
  }
  if (reply.head.contains("error")) throw WorkError(reply.head["error"].get<std::string>());
  return reply;
}

}  // namespace lastbit
