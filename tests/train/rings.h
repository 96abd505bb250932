#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "lastbit/train/ring.h"

namespace lastbit {

/// Rings of one run, joined by pairs of sockets in this process.
inline std::vector<Ring> make_rings(int size,
                                    std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
  std::vector<Socket> nexts(static_cast<std::size_t>(size));
  std::vector<Socket> previous(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < nexts.size(); ++i) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    nexts[i] = Socket(ends[0]);
    previous[(i + 1) % nexts.size()] = Socket(ends[1]);
  }
  std::vector<Ring> rings;
  for (std::size_t i = 0; i < nexts.size(); ++i) {
    rings.emplace_back(
        static_cast<int>(i), size, std::move(nexts[i]), std::move(previous[i]), timeout);
  }
  return rings;
}

/// Calls `work(rank)` for all ranks at the same time; the first exception is thrown again.
inline void at_once(int size, const std::function<void(int)>& work) {
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        work(rank);
      } catch (...) {
        errors[static_cast<std::size_t>(rank)] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace lastbit
