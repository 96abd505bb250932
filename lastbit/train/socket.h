#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace lastbit {

using Deadline = std::chrono::steady_clock::time_point;

/// An open socket, closed at the end of its life. Never blocks: waiting is `poll`'s.
class Socket {
 public:
  Socket() = default;
  /// @param descriptor  becomes this object's own.
  explicit Socket(int descriptor);
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Socket();

  int descriptor() const noexcept { return descriptor_; }
  /// The port that it listens on. @throws WorkError
  std::uint16_t port() const;
  /// The number of the machine at the other end, as "10.0.0.7"; empty if it is this machine.
  std::string peer() const;

 private:
  int descriptor_ = -1;
};

/// Whether an address, as typed, names nothing but this machine: "localhost", "127.0.0.1", "::1".
bool is_loopback(const std::string& address);

/// Listens for connections, on all networks of this machine or on none.
///
/// @param port  0 takes a free one. @throws WorkError
Socket listen_on(std::uint16_t port, bool loopback);

/// Tries again until somebody listens there. @throws WorkError at the deadline, with the reason.
Socket connect_to(const std::string& address, std::uint16_t port, Deadline deadline);

/// The next connection; nothing at the deadline.
std::optional<Socket> accept_from(const Socket& listener, Deadline deadline);

/// False if the other end closes, or at the deadline.
bool send_all(const Socket& socket, std::span<const std::byte> bytes, Deadline deadline);
bool receive_all(const Socket& socket, std::span<std::byte> bytes, Deadline deadline);

}  // namespace lastbit
