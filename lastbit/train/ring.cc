#include "lastbit/train/ring.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

#include "lastbit/base/text.h"

namespace lastbit {
namespace {

using Clock = std::chrono::steady_clock;

// Marks what follows as a ring's, in the upper half of the header's sequence number.
constexpr std::uint64_t kMark = 0x6c62'7269'0000'0000;  // "lbri"

// A header and what follows it, as far as it is on its way.
template <typename Byte>
struct Flow {
  std::span<Byte> header;
  std::span<Byte> body;

  bool done() const { return header.empty() && body.empty(); }
  std::span<Byte> rest() const { return header.empty() ? body : header; }
  void advance(std::size_t bytes) {
    std::span<Byte>& part = header.empty() ? body : header;
    part = part.subspan(bytes);
  }
};

}  // namespace

Ring::Ring(int rank, int size, Socket next, Socket previous, std::chrono::milliseconds timeout)
    : rank_(rank),
      size_(size),
      next_(std::move(next)),
      previous_(std::move(previous)),
      timeout_(timeout) {}

// The descriptors stay, so that no other thread can meet one that was closed.
void Ring::shut_down() const noexcept {
  ::shutdown(next_.descriptor(), SHUT_RDWR);
  ::shutdown(previous_.descriptor(), SHUT_RDWR);
}

void Ring::lose(int worker, const std::string& what) {
  shut_down();  // the others are not to wait for the timeout
  throw LostWorker(cat("[workers] lost worker ", worker, ": ", what));
}

void Ring::exchange(std::span<const std::byte> out, std::span<std::byte> in) {
  ++sequence_;
  const Header sent{.sequence = kMark | (sequence_ & 0xffff'ffff), .bytes = out.size()};
  const Header expected{.sequence = sent.sequence, .bytes = in.size()};
  Header got{};
  Flow<const std::byte> outgoing{.header = std::as_bytes(std::span(&sent, 1)), .body = out};
  Flow<std::byte> incoming{.header = std::as_writable_bytes(std::span(&got, 1)), .body = in};
  if (out.empty()) outgoing.header = {};
  if (in.empty()) incoming.header = {};
  const std::string ended = "its connection is closed, for it or another worker has ended";

  Deadline deadline = Clock::now() + timeout_;
  while (!outgoing.done() || !incoming.done()) {
    bool moved = false;
    if (!outgoing.done()) {
      const auto rest = outgoing.rest();
      const int more = outgoing.header.empty() || outgoing.body.empty() ? 0 : MSG_MORE;
      const ssize_t bytes =
          ::send(next_.descriptor(), rest.data(), rest.size(), MSG_NOSIGNAL | more);
      if (bytes > 0) outgoing.advance(static_cast<std::size_t>(bytes));
      if (bytes < 0 && errno != EAGAIN && errno != EINTR) lose(neighbour(1), ended);
      moved |= bytes > 0;
    }
    if (!incoming.done()) {
      const bool in_header = !incoming.header.empty();
      const auto rest = incoming.rest();
      const ssize_t bytes = ::recv(previous_.descriptor(), rest.data(), rest.size(), 0);
      if (bytes > 0) incoming.advance(static_cast<std::size_t>(bytes));
      if (bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EINTR)) {
        lose(neighbour(-1), ended);
      }
      if (in_header && incoming.header.empty() &&
          (got.sequence != expected.sequence || got.bytes != expected.bytes)) {
        lose(neighbour(-1), "it sends something else than expected, as another version would");
      }
      moved |= bytes > 0;
    }
    if (moved) {
      deadline = Clock::now() + timeout_;
      continue;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waited[2] = {
        {.fd = next_.descriptor(), .events = POLLOUT, .revents = 0},
        {.fd = previous_.descriptor(), .events = POLLIN, .revents = 0},
    };
    // A descriptor below zero is passed over.
    if (outgoing.done()) waited[0].fd = -1;
    if (incoming.done()) waited[1].fd = -1;
    ::poll(waited, 2, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000)));
    if (left <= 0) {
      lose(incoming.done() ? neighbour(1) : neighbour(-1),
           cat("no answer within ",
               static_cast<double>(timeout_.count()) / 1000.0,
               " s (--timeout)"));
    }
  }
}

// Reduce-scatter, then all-gather: in each of 2 (n - 1) steps a worker passes on a chunk of 1 / n.
template <typename T>
void Ring::sum_of(std::span<T> values) {
  if (size_ == 1 || values.empty()) return;
  const auto workers = static_cast<std::size_t>(size_);
  const auto chunk = [&](int index) {
    const auto i = static_cast<std::size_t>((index + 2 * size_) % size_);
    const std::size_t begin = values.size() * i / workers;
    return values.subspan(begin, values.size() * (i + 1) / workers - begin);
  };
  received_.resize((values.size() / workers + 1) * sizeof(T));
  for (int step = 0; step < size_ - 1; ++step) {
    const std::span<T> to = chunk(rank_ - step - 1);
    const std::span<std::byte> in = std::span(received_).first(to.size_bytes());
    exchange(std::as_bytes(chunk(rank_ - step)), in);
    const T* const from = reinterpret_cast<const T*>(in.data());
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  }
  for (int step = 0; step < size_ - 1; ++step) {
    exchange(std::as_bytes(chunk(rank_ + 1 - step)), std::as_writable_bytes(chunk(rank_ - step)));
  }
}

template void Ring::sum_of(std::span<float> values);
template void Ring::sum_of(std::span<double> values);

// Passed on in pieces, so that all links are at work at the same time: in step t worker r receives
// piece t - r + 1 and sends piece t - r.
void Ring::broadcast(std::span<std::byte> bytes) {
  if (size_ == 1) return;
  constexpr std::int64_t kPiece = 1 << 18;
  const auto total = static_cast<std::int64_t>(bytes.size());
  const std::int64_t pieces = (total + kPiece - 1) / kPiece;
  const auto piece = [&](bool wanted, std::int64_t i) -> std::span<std::byte> {
    if (!wanted || i < 0 || i >= pieces) return {};
    return bytes.subspan(static_cast<std::size_t>(i * kPiece),
                         static_cast<std::size_t>(std::min(kPiece, total - i * kPiece)));
  };
  for (std::int64_t step = 0; step < pieces + size_ - 2; ++step) {
    exchange(piece(rank_ != size_ - 1, step - rank_), piece(rank_ != 0, step - rank_ + 1));
  }
}

}  // namespace lastbit
