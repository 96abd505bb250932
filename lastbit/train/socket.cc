#include "lastbit/train/socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

using Clock = std::chrono::steady_clock;

std::string error_text(int error) { return std::generic_category().message(error); }

void set_option(int descriptor, int level, int name) {
  const int on = 1;
  ::setsockopt(descriptor, level, name, &on, sizeof on);
}

// True once `events` may be; false at the deadline.
bool wait_for(int descriptor, short events, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waited{.fd = descriptor, .events = events, .revents = 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000)));
    if (ready > 0) return true;
    if (left <= 0) return false;
  }
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

// One attempt; the error's number, or 0.
int connect_once(const addrinfo& to, Deadline deadline, Socket& result) {
  Socket socket(::socket(to.ai_family, to.ai_socktype | SOCK_CLOEXEC, to.ai_protocol));
  if (socket.descriptor() < 0) return errno;
  if (::connect(socket.descriptor(), to.ai_addr, to.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return errno;
    if (!wait_for(socket.descriptor(), POLLOUT, deadline)) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return error;
  }
  set_option(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY);
  result = std::move(socket);
  return 0;
}

}  // namespace

Socket::Socket(int descriptor) : descriptor_(descriptor) {
  if (descriptor_ < 0) return;
  ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) | O_NONBLOCK);
  ::fcntl(descriptor_, F_SETFD, FD_CLOEXEC);
}

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint16_t Socket::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw WorkError(cat("[workers] a socket has no port: ", error_text(errno)));
  }
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

std::string Socket::peer() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, NI_MAXHOST> host{};
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::getpeername(descriptor_, generic, &size) != 0 ||
      ::getnameinfo(generic, size, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return "";
  }
  constexpr std::string_view kMapped = "::ffff:";  // IPv4, seen by a socket of IPv6
  std::string text = host.data();
  if (text.starts_with(kMapped)) text.erase(0, kMapped.size());
  return is_loopback(text) ? "" : text;
}

bool is_loopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

Socket listen_on(std::uint16_t port, bool loopback) {
  // IPv6's socket hears IPv4 too, where the machine has IPv6; loopback is IPv4's, which all have.
  Socket socket(::socket(loopback ? AF_INET : AF_INET6, SOCK_STREAM, 0));
  const bool six = !loopback && socket.descriptor() >= 0;
  if (!loopback && !six) socket = Socket(::socket(AF_INET, SOCK_STREAM, 0));
  set_option(socket.descriptor(), SOL_SOCKET, SO_REUSEADDR);
  int bound = -1;
  if (six) {
    const int off = 0;
    ::setsockopt(socket.descriptor(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    bound = ::bind(socket.descriptor(), reinterpret_cast<sockaddr*>(&any), sizeof any);
  } else {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(port);
    any.sin_addr.s_addr = htonl(loopback ? INADDR_LOOPBACK : INADDR_ANY);
    bound = ::bind(socket.descriptor(), reinterpret_cast<sockaddr*>(&any), sizeof any);
  }
  if (bound != 0 || ::listen(socket.descriptor(), SOMAXCONN) != 0) {
    throw WorkError(cat("[workers] cannot listen on port ",
                        port,
                        ": ",
                        error_text(errno),
                        "; MASTER_PORT takes another"));
  }
  return socket;
}

Socket connect_to(const std::string& address, std::uint16_t port, Deadline deadline) {
  std::string reason;
  const std::string service = cat(port);
  do {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int failed = ::getaddrinfo(address.c_str(), service.c_str(), &hints, &list);
    if (failed != 0) reason = ::gai_strerror(failed);
    const std::unique_ptr<addrinfo, FreeAddresses> owner(list);
    for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
      Socket socket;
      const int error = connect_once(*at, deadline, socket);
      if (error == 0) return socket;
      reason = error_text(error);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  } while (Clock::now() < deadline);
  throw WorkError(
      cat("[workers] cannot reach a worker at ", address, " port ", port, ": ", reason));
}

std::optional<Socket> accept_from(const Socket& listener, Deadline deadline) {
  while (wait_for(listener.descriptor(), POLLIN, deadline)) {
    Socket socket(::accept(listener.descriptor(), nullptr, nullptr));
    if (socket.descriptor() < 0) {
      if (Clock::now() >= deadline) break;
      continue;
    }
    set_option(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY);
    return socket;
  }
  return std::nullopt;
}

bool send_all(const Socket& socket, std::span<const std::byte> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket.descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      return false;
    } else if (!wait_for(socket.descriptor(), POLLOUT, deadline)) {
      return false;
    }
  }
  return true;
}

bool receive_all(const Socket& socket, std::span<std::byte> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t got = ::recv(socket.descriptor(), bytes.data(), bytes.size(), 0);
    if (got > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      return false;
    } else if (!wait_for(socket.descriptor(), POLLIN, deadline)) {
      return false;
    }
  }
  return true;
}

}  // namespace lastbit
