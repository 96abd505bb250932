#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace lastbit {

/// A server on the loopback interface that answers each connection as a script says.
class HttpServer {
 public:
  /// Returns the bytes to send for the bytes of a request's head; the connection is then closed.
  using Answer = std::function<std::string(const std::string& request)>;

  explicit HttpServer(Answer answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/files"; }

  /// Heads of the requests so far.
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    while (!stopping_) {
      const int connection = ::accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      const std::string request = read_head(connection);
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      std::string_view left_to_send;
      const std::string answer = answer_(request);
      left_to_send = answer;
      while (!left_to_send.empty()) {
        const ssize_t sent =
            ::send(connection, left_to_send.data(), left_to_send.size(), MSG_NOSIGNAL);
        if (sent <= 0) break;
        left_to_send.remove_prefix(static_cast<std::size_t>(sent));
      }
      ::shutdown(connection, SHUT_RDWR);
      ::close(connection);
    }
  }

  static std::string read_head(int connection) {
    std::string head;
    char byte = 0;
    while (!head.ends_with("\r\n\r\n") && ::recv(connection, &byte, 1, 0) == 1) head += byte;
    return head;
  }

  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::jthread thread_;
};

/// An answer with a body. `promised` is its Content-Length where that differs.
inline std::string http(const std::string& status,
                        const std::string& body,
                        const std::string& headers = "",
                        std::size_t promised = 0) {
  return "HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " +
         std::to_string(promised == 0 ? body.size() : promised) + "\r\n" + headers + "\r\n" + body;
}

/// The first byte that a request asks for; 0 without a Range.
inline std::size_t range_of(const std::string& request) {
  const std::size_t at = request.find("Range: bytes=");
  return at == std::string::npos ? 0 : std::stoul(request.substr(at + 13));
}

/// The rest of `whole` that a request asks for, as a server that knows ranges sends it.
inline std::string http_range(const std::string& request, const std::string& whole) {
  const std::size_t first = range_of(request);
  if (first == 0) return http("200 OK", whole);
  return http("206 Partial Content",
              whole.substr(first),
              "Content-Range: bytes " + std::to_string(first) + "-" +
                  std::to_string(whole.size() - 1) + "/" + std::to_string(whole.size()) + "\r\n");
}

}  // namespace lastbit
