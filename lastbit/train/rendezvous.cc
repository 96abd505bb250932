#include "lastbit/train/rendezvous.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kWorker = 0x3162'6f77'7472'626c;  // version 1 of these messages

// The first that a worker sends to worker 0, and later to the worker after it.
struct Hello {
  std::uint64_t magic = kWorker;
  std::uint64_t run = 0;
  std::uint32_t rank = 0;
  std::uint32_t size = 0;
  std::uint32_t port = 0;  // where it listens
  std::uint32_t unused = 0;
};

// Worker 0's answer: where the worker after the asking one listens.
struct Answer {
  std::uint64_t magic = kWorker;
  std::uint32_t refused = 0;  // whether `text` is a sentence
  std::uint32_t port = 0;
  std::array<char, 240> text{};  // an address; empty for worker 0's machine
};

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

Answer answer_with(bool refused, std::uint32_t port, const std::string& text) {
  Answer answer{.refused = refused ? 1U : 0U, .port = port};
  std::copy_n(text.begin(), std::min(text.size(), answer.text.size() - 1), answer.text.begin());
  return answer;
}

// A stranger must not keep the workers waiting.
std::optional<Hello> hello_of(const Socket& socket, Deadline deadline) {
  constexpr auto kPatience = std::chrono::seconds(5);
  Hello hello;
  const Deadline soon = std::min(deadline, Clock::now() + kPatience);
  const bool came = receive_all(socket, std::as_writable_bytes(std::span(&hello, 1)), soon);
  if (!came || hello.magic != kWorker) return std::nullopt;
  return hello;
}

std::string timeout_text(std::chrono::milliseconds timeout) {
  return cat(static_cast<double>(timeout.count()) / 1000.0, " s");
}

struct Guest {
  Socket socket;
  std::uint32_t port = 0;
};

class Meeting {
 public:
  Meeting(const WorkerPlace& place, std::uint64_t run, std::chrono::milliseconds timeout)
      : place_(place), run_(run), timeout_(timeout), deadline_(Clock::now() + timeout) {}

  Ring meet() {
    const Socket listener = listen_on(0, is_loopback(place_.address));
    const auto port = std::uint32_t{listener.port()};
    const auto [address, next_port] = place_.rank == 0 ? host(port) : ask(port);
    Socket next = connect_to(address.empty() ? place_.address : address,
                             static_cast<std::uint16_t>(next_port),
                             deadline_);
    send_all(next, bytes_of(hello(port)), deadline_);
    return {place_.rank, place_.size, std::move(next), previous(listener), timeout_};
  }

 private:
  using Address = std::pair<std::string, std::uint32_t>;

  Hello hello(std::uint32_t port) const {
    return {.run = run_,
            .rank = static_cast<std::uint32_t>(place_.rank),
            .size = static_cast<std::uint32_t>(place_.size),
            .port = port};
  }

  // Worker 0: the others' names are taken, then each is told of the one after it.
  Address host(std::uint32_t own_port) {
    const Socket door = place_.listener >= 0 ? Socket(place_.listener)
                                             : listen_on(place_.port, is_loopback(place_.address));
    std::vector<std::optional<Guest>> guests(static_cast<std::size_t>(place_.size));
    for (int missing = place_.size - 1; missing > 0;) {
      std::optional<Socket> socket = accept_from(door, deadline_);
      if (!socket) fail_without(guests);
      const std::optional<Hello> hello = hello_of(*socket, deadline_);
      if (!hello) continue;
      require(*hello, guests, *socket);
      guests[hello->rank] = Guest{.socket = std::move(*socket), .port = hello->port};
      --missing;
    }
    for (std::size_t i = 1; i < guests.size(); ++i) {
      const bool last = i + 1 == guests.size();
      const Answer answer =
          last ? answer_with(false, own_port, "")
               : answer_with(false, guests[i + 1]->port, guests[i + 1]->socket.peer());
      send_all(guests[i]->socket, bytes_of(answer), deadline_);
    }
    return {guests[1]->socket.peer(), guests[1]->port};
  }

  void require(const Hello& hello,
               const std::vector<std::optional<Guest>>& guests,
               const Socket& socket) const {
    std::string wrong;
    if (hello.size != guests.size()) {
      wrong =
          cat("worker ", hello.rank, " is one of ", hello.size, ", worker 0 one of ", place_.size);
    } else if (hello.rank == 0 || hello.rank >= guests.size() || guests[hello.rank]) {
      wrong = cat("two workers say that they are worker ", hello.rank);
    } else if (hello.run != run_) {
      wrong = cat("worker ", hello.rank, " was started with other options than worker 0");
    }
    if (wrong.empty()) return;
    send_all(socket, bytes_of(answer_with(true, 0, cat("[workers] ", wrong))), deadline_);
    throw InputError(cat("[workers] ", wrong));
  }

  [[noreturn]] void fail_without(const std::vector<std::optional<Guest>>& guests) const {
    std::vector<std::string> missing;
    for (std::size_t i = 1; i < guests.size(); ++i) {
      if (!guests[i]) missing.push_back(cat(i));
    }
    throw WorkError(cat("[workers] of ",
                        place_.size,
                        " workers these did not come within ",
                        timeout_text(timeout_),
                        ": ",
                        join(missing)));
  }

  Address ask(std::uint32_t own_port) const {
    const Socket socket = connect_to(place_.address, place_.port, deadline_);
    send_all(socket, bytes_of(hello(own_port)), deadline_);
    Answer answer;
    // Worker 0 waits for all others first, until its own deadline.
    const Deadline later = deadline_ + timeout_;
    if (!receive_all(socket, std::as_writable_bytes(std::span(&answer, 1)), later) ||
        answer.magic != kWorker) {
      throw WorkError(cat("[workers] worker 0 at ",
                          place_.address,
                          " port ",
                          place_.port,
                          " has ended, or is no worker of this run"));
    }
    answer.text.back() = '\0';
    const std::string text = answer.text.data();
    if (answer.refused != 0) throw InputError(text);
    return {text, answer.port};
  }

  Socket previous(const Socket& listener) const {
    const int expected = (place_.rank + place_.size - 1) % place_.size;
    while (std::optional<Socket> socket = accept_from(listener, deadline_ + timeout_)) {
      const std::optional<Hello> hello = hello_of(*socket, deadline_ + timeout_);
      if (hello && hello->run == run_ && hello->rank == static_cast<std::uint32_t>(expected)) {
        return std::move(*socket);
      }
    }
    throw WorkError(cat("[workers] worker ",
                        expected,
                        " did not connect to worker ",
                        place_.rank,
                        " within ",
                        timeout_text(timeout_)));
  }

  const WorkerPlace& place_;
  std::uint64_t run_;
  std::chrono::milliseconds timeout_;
  Deadline deadline_;
};

}  // namespace

Ring join_ring(const WorkerPlace& place, std::uint64_t run, std::chrono::milliseconds timeout) {
  return Meeting(place, run, timeout).meet();
}

}  // namespace lastbit
