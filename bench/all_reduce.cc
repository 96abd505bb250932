// What a sum over the workers of a run costs on this machine: the constants of docs/scaling.md.
//
//     bench_all_reduce        2 and 4 processes on loopback
//     bench_all_reduce 3      3 of them
//     bench_all_reduce env    this process is one of those that torchrun, mpirun or srun have
//     started,
//                             on whatever network lies between them

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "lastbit/train/rendezvous.h"
#include "lastbit/train/worker_place.h"

namespace lastbit {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTimeout = std::chrono::seconds(60);

double seconds_of_sum(Ring& ring, std::vector<float>& values) {
  double sign = 0.0;
  ring.sum(std::span(&sign, 1));  // all start together
  const auto start = Clock::now();
  ring.sum(values);
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Worker 0 prints the least and the middle of some sums of each size.
void measure(Ring ring) {
  for (const std::size_t count : {1UL, 1000UL, 430'500UL, 11'000'000UL, 25'600'000UL}) {
    const int repetitions = count < 1'000'000 ? 201 : 11;
    std::vector<double> seconds;
    std::vector<float> values(count, 1.0F);
    for (int i = 0; i < repetitions; ++i) {
      std::fill(values.begin(), values.end(), 1.0F);
      seconds.push_back(seconds_of_sum(ring, values));
      if (values.back() != static_cast<float>(ring.size())) {
        std::fprintf(stderr, "the sum is wrong\n");
        std::exit(1);
      }
    }
    std::sort(seconds.begin(), seconds.end());
    if (ring.rank() != 0) continue;
    std::printf("%d workers, %8zu floats: least %8.3f ms, median %8.3f ms\n",
                ring.size(),
                count,
                1e3 * seconds.front(),
                1e3 * seconds[seconds.size() / 2]);
    std::fflush(stdout);
  }
}

void measure_here(int workers) {
  Socket door = listen_on(0, /*loopback=*/true);
  WorkerPlace place{.size = workers, .address = "127.0.0.1", .port = door.port()};
  std::vector<pid_t> others;
  for (int rank = 1; rank < workers; ++rank) {
    const pid_t child = ::fork();
    if (child != 0) {
      others.push_back(child);
      continue;
    }
    place.rank = rank;
    try {
      measure(join_ring(place, 0, kTimeout));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(0);
  }
  place.listener = ::dup(door.descriptor());
  measure(join_ring(place, 0, kTimeout));
  for (const pid_t child : others) ::waitpid(child, nullptr, 0);
}

int run(int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "env") {
    const auto place =
        worker_place([](const char* name) -> const char* { return std::getenv(name); });
    if (!place) {
      std::fprintf(stderr, "the environment names no workers\n");
      return 2;
    }
    measure(join_ring(*place, 0, kTimeout));
    return 0;
  }
  std::vector<int> sizes = {2, 4};
  if (!word.empty()) {
    int workers = 0;
    const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), workers);
    if (error != std::errc{} || rest != word.data() + word.size() || workers < 2) {
      std::fprintf(stderr, "expected a number of workers from 2, or env\n");
      return 2;
    }
    sizes = {workers};
  }
  for (const int workers : sizes) measure_here(workers);
  return 0;
}

}  // namespace
}  // namespace lastbit

int main(int argc, char** argv) {
  try {
    return lastbit::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
