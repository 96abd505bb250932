#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lastbit/base/error.h"
#include "lastbit/train/socket.h"

namespace lastbit {

/// A worker has ended, does not answer, or sends what no worker sends.
class LostWorker : public WorkError {
 public:
  using WorkError::WorkError;
};

/// Workers in a ring, each joined to the next and the one before: sums and copies over all of them.
///
/// All call the same functions in the same order with equally long arguments. A sum of n workers
/// sends each element 2 (n - 1) / n times, whatever n is; every worker ends with the same bits, the
/// same in every run. Not to be used by several threads, but for `shut_down`.
class Ring {
 public:
  /// @param next, previous  connections to workers rank + 1 and rank - 1; not used by one alone.
  /// @param timeout  without a byte, after which a worker is lost.
  Ring(int rank, int size, Socket next, Socket previous, std::chrono::milliseconds timeout);

  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }
  std::chrono::milliseconds timeout() const noexcept { return timeout_; }

  /// Each element becomes its sum over the workers. @throws LostWorker
  void sum(std::span<float> values) { sum_of(values); }
  void sum(std::span<double> values) { sum_of(values); }
  /// What worker 0 holds becomes what all hold. @throws LostWorker
  void broadcast(std::span<std::byte> bytes);
  /// Ends both connections: what this worker or a neighbour is at throws LostWorker at once.
  void shut_down() const noexcept;

 private:
  struct Header {
    std::uint64_t sequence;
    std::uint64_t bytes;
  };

  template <typename T>
  void sum_of(std::span<T> values);
  // Sends to the next and receives from the previous at the same time; either may be empty.
  void exchange(std::span<const std::byte> out, std::span<std::byte> in);
  [[noreturn]] void lose(int worker, const std::string& what);
  int neighbour(int step) const noexcept { return (rank_ + step + size_) % size_; }

  int rank_;
  int size_;
  Socket next_;
  Socket previous_;
  std::chrono::milliseconds timeout_;
  std::uint64_t sequence_ = 0;
  std::vector<std::byte> received_;
};

}  // namespace lastbit
